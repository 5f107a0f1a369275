import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatProperties, formatSite } from './properties.js';
import { parseJavaVersion } from './tools.js';

describe('settings of Java servers', () => {
  it('are written so that they are read as they are', () => {
    assert.equal(formatProperties({ a: 'b=c', path: 'C:\\x' }), 'a=b=c\npath=C:\\\\x\n');
    assert.equal(
      formatSite({ 'a.b': '<1 & 2>' }),
      '<configuration>\n  <property><name>a.b</name><value>&lt;1 &amp; 2&gt;</value></property>\n</configuration>\n',
    );
  });
});

describe('parseJavaVersion', () => {
  it('reads what java -version says, of old and new', () => {
    assert.equal(parseJavaVersion('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime'), 17);
    assert.equal(parseJavaVersion('java version "1.8.0_392"'), 8);
    assert.equal(parseJavaVersion('openjdk version "21" 2023-09-19'), 21);
    assert.equal(parseJavaVersion('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2"'), 11);
    assert(Number.isNaN(parseJavaVersion('no java')));
  });
});
