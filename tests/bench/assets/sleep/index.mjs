// Answers after ?ms= milliseconds with a name that only this environment has: process
// ids are of no use, because every sandbox counts its own.
import { randomUUID } from 'node:crypto';

const environment = randomUUID();

export const handler = async (event) => {
  const ms = Number(event.queryStringParameters?.ms ?? 0);
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  return {
    statusCode: 200,
    headers: { 'content-type': 'text/plain' },
    body: environment,
  };
};
