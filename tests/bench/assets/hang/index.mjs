// Its init phase does not end.
await new Promise(() => setInterval(() => {}, 1000));
export const handler = async () => ({ statusCode: 200, body: 'ok' });
