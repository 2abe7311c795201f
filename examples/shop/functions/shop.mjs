// What is sold, and who ordered what. There is one environment (reserved_concurrency 1), so its
// memory will do for a try; a real shop has a table.
const items = { tea: { name: 'Tea', price: 4.5, stock: 12 }, cup: { name: 'Cup', price: 9, stock: 3 } };
const orders = [];

const answer = (statusCode, body) => ({ statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const ordersOf = (customer) => orders.filter((order) => order.customer === customer);

const order = (customer, text) => {
  let wanted;
  try {
    wanted = JSON.parse(text);
  } catch {
    return answer(400, { message: 'the order is no JSON' });
  }
  const item = Object.hasOwn(items, wanted?.item) ? items[wanted.item] : undefined;
  if (!item || !Number.isInteger(wanted.count) || wanted.count < 1) return answer(400, { message: 'an order has an item and a count' });
  if (item.stock < wanted.count) return answer(409, { message: `there are only ${item.stock} left` });
  item.stock -= wanted.count;
  const made = { id: String(orders.length + 1), customer, item: wanted.item, count: wanted.count };
  orders.push(made);
  return answer(201, made);
};

export const handler = async ({ routeKey, requestContext, pathParameters, body, isBase64Encoded }) => {
  const { authorizer } = requestContext;
  switch (routeKey) {
    case 'GET /api/items':
      return answer(200, Object.entries(items).map(([id, item]) => ({ id, ...item })));
    case 'GET /api/items/{id}':
      return Object.hasOwn(items, pathParameters.id) ? answer(200, items[pathParameters.id]) : answer(404, { message: 'there is no such item' });
    case 'GET /api/orders':
      return answer(200, ordersOf(authorizer.jwt.claims.sub));
    case 'POST /api/orders':
      return order(authorizer.jwt.claims.sub, isBase64Encoded ? Buffer.from(body, 'base64').toString() : body);
  }
  // The WebSocket: its events have the route, and the claims of the token with which it was opened.
  switch (requestContext.routeKey) {
    case 'orders':
      return answer(200, { orders: ordersOf(authorizer.claims.sub) });
    case 'stock':
      return answer(200, { stock: Object.fromEntries(Object.entries(items).map(([id, { stock }]) => [id, stock])) });
  }
  return { statusCode: 200 };
};
