/** How servers that run on Java have their settings written. */

/** By name, as the projects' documents have them. */
export type Properties = Readonly<Record<string, string>>;

/** Java's format of properties (java.util.Properties): a backslash escapes. */
export function formatProperties(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => ESCAPES[character] ?? character);
}

/** Hadoop's format of settings, which hbase-site.xml, core-site.xml and hdfs-site.xml share. */
export function formatSite(properties: Properties): string {
  const lines = Object.entries(properties).map(
    ([name, value]) =>
      `  <property><name>${escapeXml(name)}</name><value>${escapeXml(value)}</value></property>`,
  );
  return ['<configuration>', ...lines, '</configuration>', ''].join('\n');
}
