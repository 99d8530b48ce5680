import { once } from 'node:events';
import type { HostProcess } from '../../local/hostProcess.ts';

/** One way to do the work; `go` does it for the nth time. */
export interface Contender {
  name: string;
  go: (n: number) => Promise<void>;
}

export interface Figure {
  /** Per second. */
  rate: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** CPU microseconds of the functions' process, for each. */
  cpu: number;
}

const rounds = 5;
const roundMs = 1200;

/** The medians of each contender. They take turns in rounds, so that a slow moment of the machine affects all of them. */
export async function contest(
  contenders: Contender[],
  atOnce: number,
  host: HostProcess,
): Promise<Map<string, Figure>> {
  const figures = new Map<string, Figure[]>(contenders.map(({ name }) => [name, []]));
  for (const { go } of contenders) await run(go, atOnce, 300);
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, go } of contenders) {
      const before = await cpuOf(host);
      const { times, ms } = await run(go, atOnce, roundMs);
      const cpu = ((await cpuOf(host)) - before) / times.length;
      times.sort((a, b) => a - b);
      const percentile = (part: number) => times[Math.floor((times.length - 1) * part)] ?? 0;
      figures.get(name)?.push({ rate: (times.length / ms) * 1000, p50: percentile(0.5), p99: percentile(0.99), cpu });
    }
  }
  return new Map([...figures].map(([name, all]) => [name, medians(all)]));
}

let counter = 0;

async function run(go: Contender['go'], atOnce: number, forMs: number): Promise<{ times: number[]; ms: number }> {
  const times: number[] = [];
  const started = performance.now();
  const worker = async () => {
    while (performance.now() - started < forMs) {
      const from = performance.now();
      await go(counter++);
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { times, ms: performance.now() - started };
}

async function cpuOf(host: HostProcess): Promise<number> {
  const answer = once(host.child, 'message');
  host.child.send('cpu');
  const [{ user, system }] = (await answer) as [NodeJS.CpuUsage];
  return user + system;
}

function medians(all: Figure[]): Figure {
  const of = (name: keyof Figure) => median(all.map((figure) => figure[name]));
  return { rate: of('rate'), p50: of('p50'), p99: of('p99'), cpu: of('cpu') };
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** A table as text. */
export function table(headings: string[], rows: string[][]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const padded = (cell: string, column: number) => {
    const width = widths[column] ?? 0;
    return column === 0 ? cell.padEnd(width) : cell.padStart(width);
  };
  const line = (cells: string[]) => cells.map(padded).join('  ');
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
