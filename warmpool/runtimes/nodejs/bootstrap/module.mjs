// The second function that a stem is warmed by (stem.js): an ES module.

export const handler = async (event) => {
  console.log('%s', event.version, { rehearsed: true });
  return { statusCode: 200, body: event.version };
};
