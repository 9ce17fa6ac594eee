import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { InvokeError } from './invoke-error.js';

const minLength = 8;
const maxLength = 4_096;
/** A host as a folder's name: nothing that leads elsewhere. An IPv6 address has colons. */
const hostPattern = /^[a-z0-9_:-][a-z0-9_.:-]*$/;

/**
 * The operator's secrets for model servers: the file `<directory>/<host>/<name>` holds the whole value of a header. That it lies in the
 * folder of a host is what lets it be sent there and nowhere else: who may say where a model is served must not be able to have a secret
 * sent to a server of his own. Read anew for every call, so that a secret can be changed under a running service.
 */
export class SecretsStore {
  constructor(private readonly directory: string | null) {}

  /** Throws UNKNOWN_SECRET, which tells neither path nor content. */
  async read(host: string, name: string): Promise<string> {
    const unknown = (why: string): InvokeError => new InvokeError('UNKNOWN_SECRET', `The secret ${name} ${why}`);
    if (this.directory === null || !hostPattern.test(host)) throw unknown(`is not known for ${host}`);
    const text = await firstBytes(join(this.directory, host, name)).catch(() => null);
    if (text === null) throw unknown(`is not known for ${host}`);
    const value = text.replace(/\r?\n$/, '');
    if (value.length < minLength || value.length > maxLength || !/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])$/.test(value))
      throw unknown(`cannot be sent; accepted: one line of ${minLength} to ${maxLength} visible ASCII characters`);
    return value;
  }
}

/** As far as a secret may be long, whatever lies there. */
async function firstBytes(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(maxLength + 3), 0, maxLength + 3, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
