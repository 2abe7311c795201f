import { createHash, createPrivateKey, createPublicKey, scryptSync, sign, timingSafeEqual } from 'node:crypto';

// An OpenID Connect issuer that is just large enough to try the shop with: it knows two people, and
// gives tokens for their passwords. The key comes from a secret, so that all environments of the
// function have the same one.
const { SHOP_SECRET, ISSUER } = process.env;
if (!SHOP_SECRET) throw new Error('set SHOP_SECRET to a secret of your own, see the README');
const seed = createHash('sha256').update(`the shop's key of ${SHOP_SECRET}`).digest();
const key = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8',
}); // Ed25519: RFC 8410
const { x } = createPublicKey(key).export({ format: 'jwk' });
const kid = createHash('sha256').update(x).digest('base64url').slice(0, 8);

const stored = (password) => scryptSync(password, seed, 32);
const people = { ada: { password: stored('lovelace'), scope: 'orders:write' }, bob: { password: stored('builder'), scope: '' } };
const nobody = { password: stored(SHOP_SECRET) };

const answer = (statusCode, body) => ({ statusCode, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body: JSON.stringify(body) });
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

const token = (user, scope) => {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${encode({ alg: 'EdDSA', typ: 'JWT', kid })}.${encode({ iss: ISSUER, aud: 'shop', sub: user, scope, iat: now, exp: now + 3600 })}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
};

export const handler = async ({ routeKey, body = '', isBase64Encoded }) => {
  switch (routeKey) {
    case 'GET /id/.well-known/openid-configuration':
      return answer(200, { issuer: ISSUER, jwks_uri: `${ISSUER}/keys`, token_endpoint: `${ISSUER}/token`, id_token_signing_alg_values_supported: ['EdDSA'] });
    case 'GET /id/keys':
      return answer(200, { keys: [{ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA', kid, x }] });
  }
  const form = new URLSearchParams(isBase64Encoded ? Buffer.from(body, 'base64').toString() : body);
  const user = form.get('username') ?? '';
  const person = Object.hasOwn(people, user) ? people[user] : nobody;
  if (!timingSafeEqual(stored(form.get('password') ?? ''), person.password) || person === nobody) {
    return answer(400, { error: 'invalid_grant' });
  }
  return answer(200, { access_token: token(user, person.scope), token_type: 'Bearer', expires_in: 3600 });
};
