// Takes events and notes when each began, on the clock that every process of the machine
// shares. Called over HTTP it answers with the waits of those so far, in nanoseconds.
const waits = [];

export const handler = async (event) => {
  const now = process.hrtime.bigint();
  if (event.requestContext) return { statusCode: 200, body: JSON.stringify(waits) };
  if (event.sent) waits.push(Number(now - BigInt(event.sent)));
  if (event.ms) await new Promise((resolve) => setTimeout(resolve, event.ms));
  return null;
};
