import { ApiGatewayManagementApiClient, PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';

// Who is there. There is one environment (reserved_concurrency 1), so its memory will do for a
// try; a real chat has a table.
const people = new Set();

export const handler = async ({ requestContext, body }) => {
  const { routeKey, connectionId, domainName, stage } = requestContext;
  switch (routeKey) {
    case '$connect':
      people.add(connectionId);
      break;
    case '$disconnect':
      people.delete(connectionId);
      break;
    case 'say': {
      const api = new ApiGatewayManagementApiClient({
        endpoint: `http://${domainName}/${stage}`,
        region: process.env.AWS_REGION,
        credentials: { accessKeyId: 'chat', secretAccessKey: process.env.CHAT_SECRET },
      });
      const Data = JSON.stringify({ from: connectionId, text: String(JSON.parse(body).text) });
      await Promise.all([...people].map((ConnectionId) =>
        api.send(new PostToConnectionCommand({ ConnectionId, Data })).catch((error) => {
          if (error.name !== 'GoneException') throw error;
          people.delete(ConnectionId);
        })));
      break;
    }
    case 'who':
      return { statusCode: 200, body: JSON.stringify({ people: people.size }) };
  }
  return { statusCode: 200 };
};
