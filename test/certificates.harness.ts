import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The openssl of this machine, or nothing: Node reads certificates and makes none. */
export const openssl = (process.env.PATH ?? '')
  .split(':')
  .map((folder) => join(folder, 'openssl'))
  .find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

export interface Certificate {
  certFile: string;
  keyFile: string;
}

/** An authority of its own, in files of this directory. */
export class Authority {
  private constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {}

  static async make(directory: string, name: string): Promise<Authority> {
    const authority = new Authority(directory, name);
    await run(openssl!, [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
      ...['-keyout', authority.file('key'), '-out', authority.caFile],
    ]);
    return authority;
  }

  get caFile(): string {
    return this.file('pem');
  }

  /** `for_hosts` as openssl has them: `IP:127.0.0.1`, `DNS:localhost`. */
  async sign(name: string, for_hosts: string): Promise<Certificate> {
    const [certFile, keyFile] = [join(this.directory, `${name}.pem`), join(this.directory, `${name}.key`)];
    await run(openssl!, [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=${for_hosts}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-CA', this.caFile, '-CAkey', this.file('key'), '-keyout', keyFile, '-out', certFile],
    ]);
    return { certFile, keyFile };
  }

  private file(ending: string): string {
    return join(this.directory, `${this.name}.${ending}`);
  }
}
