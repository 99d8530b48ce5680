// Preloaded into the functions host: the tests move its clock by a message, which is answered when it has moved.
const { now } = Date;
let offsetMs = Number(process.env.CLOCK_OFFSET_MS);
Date.now = () => now() + offsetMs;
process.on('message', (message) => {
  if (typeof message?.clockOffsetMs !== 'number') return;
  offsetMs = message.clockOffsetMs;
  process.send?.('moved');
});
