import net from 'node:net';

const local = new Set(['localhost', '127.0.0.1', '::1']);
type Connect = typeof net.Socket.prototype.connect;
const connect = net.Socket.prototype.connect;

/** During tests a connection to any other machine fails, and with it the test. */
net.Socket.prototype.connect = function (this: net.Socket, ...args: unknown[]) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0];
  const host = typeof first === 'object' && first !== null && 'host' in first ? first.host : args[1];
  const named = typeof host === 'string' ? host : 'localhost';
  if (!local.has(named)) throw new Error(`A test tried to reach ${named}`);
  return connect.apply(this, args as Parameters<Connect>);
} as Connect;
