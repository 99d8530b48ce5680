// Preloaded into the functions host: its clock is in the hands of the tests, who move it by a message and are told when it is done.
const { now } = Date;
let offsetMs = Number(process.env.CLOCK_OFFSET_MS);
Date.now = () => now() + offsetMs;
process.on('message', (message) => {
  if (typeof message?.clockOffsetMs !== 'number') return;
  offsetMs = message.clockOffsetMs;
  process.send?.('moved');
});
