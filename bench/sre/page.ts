/** A page of Markdown, and what of that it tells is not as it should be. */
export class Page {
  readonly #lines: string[] = [];
  readonly missed: string[] = [];

  miss(what: string): void {
    this.missed.push(what);
  }

  section(
    heading: string,
    text: string,
    head: readonly string[],
    rows: readonly (readonly string[])[],
  ): void {
    const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
    const rule = line(head.map(() => '---'));
    this.#lines.push(`## ${heading}`, '', text, '', line(head), rule, ...rows.map(line), '');
  }

  /** What was missed comes first. */
  render(title: string, introduction: string): string {
    const list = this.missed.map((each) => `- \`${each}\``).join('\n');
    const verdict = list === '' ? '**Every threshold was kept.**' : `**Missed:**\n\n${list}`;
    return [`# ${title}`, '', introduction, '', verdict, '', ...this.#lines].join('\n');
  }
}
