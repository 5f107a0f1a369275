/** The files that HBase and Hadoop read at their start. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** To stdout, which goes to the server's log; WARN, and INFO for what tells a server's life. */
const LOG4J2 = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p [%t] %c{1}: %.1000m%n%throwable
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.master.name = org.apache.hadoop.hbase.master
logger.master.level = info
logger.regionserver.name = org.apache.hadoop.hbase.regionserver
logger.regionserver.level = info
`;

/** Writes a folder for a class path: each file by its name, and how to log. */
export function writeConfiguration(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries({ ...files, 'log4j2.properties': LOG4J2 })) {
    writeFileSync(path.join(folder, name), content);
  }
}
