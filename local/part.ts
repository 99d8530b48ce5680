/** Starts one part of a stack. @throws Error that names the part and, for a port in use, says what to do */
export async function startPart<Part>(
  name: string,
  port: number | undefined,
  start: () => Promise<Part>,
): Promise<Part> {
  try {
    return await start();
  } catch (fault) {
    throw partFault(name, port, fault);
  }
}

function partFault(name: string, port: number | undefined, fault: unknown): Error {
  const { code, message, port: usedPort = port } = fault as NodeJS.ErrnoException & { port?: number };
  if (code === 'EADDRINUSE') {
    const option = name === 'debugger' ? '--inspect=PORT' : '--port N';
    return new Error(
      `Port ${usedPort} (${name}) is in use. End the program that uses it, or choose another port: npm start -- ${option}`,
    );
  }
  return new Error(name === 'functions' ? message : `${name}: ${message}`, { cause: fault });
}
