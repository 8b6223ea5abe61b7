// A plain Node server whose callers bear access tokens of Secure Auth.

import { createServer } from "node:http";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const issuer = process.env.ISSUER; // TOKEN_ISSUER of the service, which by default is its ORIGIN
const audience = process.env.AUDIENCE ?? issuer; // TOKEN_AUDIENCE
const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer), { cacheMaxAge: 300_000 });
const expected = {
  issuer,
  audience,
  typ: "at+jwt",
  algorithms: ["ES256"], // SIGNING_ALGORITHM of the service; nothing else is accepted, whatever a header says
  requiredClaims: ["sub", "exp", "iat", "auth_time"],
};

class Refusal extends Error {
  constructor(status, headers) {
    super(`${status}`);
    Object.assign(this, { status, headers });
  }
}

// The claims of a valid access token.
async function readClaims(request) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  if (scheme.toLowerCase() !== "bearer" || !token) throw new Refusal(401, { "WWW-Authenticate": "Bearer" });
  const { payload } = await jwtVerify(token, keys, expected).catch((error) => {
    throw asRefusal(error);
  });
  if (payload.token_type !== "access") throw invalidToken();
  return payload;
}

const invalidToken = () => new Refusal(401, { "WWW-Authenticate": 'Bearer error="invalid_token"' });

// Keys that cannot be fetched say nothing about the token.
function asRefusal(error) {
  const unreachable =
    !(error instanceof errors.JOSEError) ||
    error instanceof errors.JWKSTimeout ||
    error.code === errors.JOSEError.code;
  return unreachable ? new Refusal(503, { "Retry-After": "1" }) : invalidToken();
}

const server = createServer(async (request, response) => {
  response.setHeader("Content-Type", "application/json");
  try {
    const claims = await readClaims(request);
    response.end(JSON.stringify({ user: claims.sub, roles: claims.roles }));
  } catch (error) {
    response.writeHead(error.status ?? 500, error.headers);
    response.end(JSON.stringify({ status: error.status ?? 500 }));
  }
});

server.listen(process.env.PORT ?? 3000, "127.0.0.1");
