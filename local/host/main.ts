/** A local Azure Functions host for one app, run as a child process: see host.ts for its settings. */
import { startHost } from './host.ts';

try {
  const host = await startHost(process.env);
  const end = (): void => {
    host.stop().then(
      () => process.exit(0),
      (fault: unknown) => {
        process.stderr.write(
          `The functions host did not end cleanly: ${fault instanceof Error ? fault.message : 'unknown'}\n`,
        );
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  // Ctrl-C can reach this process too. As long as there is a parent, the parent ends it in the right order.
  process.on('SIGINT', () => {
    if (!process.connected) end();
  });
  process.on('disconnect', end);
  // For the bench: what this process has used so far.
  process.on('message', (message) => {
    if (message === 'cpu') process.send?.(process.cpuUsage());
  });
  process.send?.({ type: 'ready', port: host.port, functions: host.functions });
} catch (fault) {
  process.stderr.write(`${fault instanceof Error ? fault.message : 'The functions host failed.'}\n`);
  process.exit(1);
}
