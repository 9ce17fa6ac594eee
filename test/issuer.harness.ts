import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export const audience = 'models';

interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
}

/** An OpenID Connect issuer of this machine: its configuration, its keys, and tokens by them. */
export class Issuer {
  private server: Server | undefined;
  private port = 0;
  private published: JWK[] = [];
  private made = 0;
  /** How often its keys were asked for. */
  asked = 0;
  key!: SigningKey;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  static async start(): Promise<Issuer> {
    const issuer = new Issuer();
    await issuer.rotate();
    await issuer.listen();
    return issuer;
  }

  /** Signs by a new key from now on, and publishes it beside the others. */
  async rotate(): Promise<void> {
    const kid = `key-${(this.made += 1)}`;
    this.key = { kid, ...(await generateKeyPair('RS256')) };
    this.published.push({ ...(await exportJWK(this.key.publicKey)), kid, alg: 'RS256', use: 'sig' });
  }

  /** No longer publishes a key. */
  withdraw({ kid }: SigningKey): void {
    this.published = this.published.filter((published) => published.kid !== kid);
  }

  /** A token that is good but for what is said otherwise; a claim of undefined is left out. */
  async token(claims: JWTPayload = {}, key: SigningKey = this.key): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: this.url, aud: audience, sub: 'ann', iat: now, exp: now + 300, roles: ['ml-readers'], ...claims };
    return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
      .setProtectedHeader({ alg: 'RS256', kid: key.kid })
      .sign(key.privateKey);
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      const configuration = { issuer: this.url, jwks_uri: `${this.url}/keys` };
      if (request.url === '/keys') this.asked += 1;
      const body = request.url === '/keys' ? { keys: this.published } : configuration;
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
