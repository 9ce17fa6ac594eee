import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newDirectory, removeDirectory } from './embedded.harness.js';
import { natsBinary } from './nats-binary.js';

describe('the search for nats-server', () => {
  let folder: string;
  let servicePolicy: string;
  const notices: string[] = [];
  const search = (packageManager?: string): Promise<string> =>
    natsBinary({ folders: ['/nowhere', folder], packageManager, servicePolicy }, (line) => notices.push(line));
  const write = (name: string, script: string): string => {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    return file;
  };

  beforeEach(async () => {
    folder = await newDirectory();
    servicePolicy = join(folder, 'policy-rc.d');
    notices.length = 0;
  });

  afterEach(() => removeDirectory(folder));

  it('takes one that is there and installs nothing', async () => {
    const server = write('nats-server', 'exit 0');
    expect(await search(write('apt-get', 'exit 1'))).toBe(server);
    expect(notices).toEqual([]);
  });

  it('says what to type when there is none and this process may not install it', async () => {
    await expect(search()).rejects.toThrow(
      /^There is no nats-server on this machine: install it \(`sudo apt-get install nats-server`, .*\), or set NATS_URL/,
    );
  });

  it('installs it with services forbidden, fetching the package lists when the first try fails, and tells so in one line', async () => {
    const server = join(folder, 'nats-server');
    const packageManager = write(
      'apt-get',
      `echo "$@" >> ${folder}/calls
       case "$*" in
         *update*) touch ${folder}/lists ;;
         *) [ -e ${folder}/lists ] || { echo 'Unable to locate package' >&2; exit 100; }
            cp ${servicePolicy} ${folder}/policy-seen
            printf '#!/bin/sh\\n' > ${server}; chmod +x ${server} ;;
       esac`,
    );
    expect(await search(packageManager)).toBe(server);
    expect(notices).toEqual(['nats-server is missing; installing it with apt-get ...']);
    expect(readFileSync(join(folder, 'calls'), 'utf8').match(/update|install -y/g)).toEqual(['install -y', 'update', 'install -y']);
    expect(readFileSync(join(folder, 'policy-seen'), 'utf8')).toBe('#!/bin/sh\nexit 101\n');
    expect(existsSync(servicePolicy)).toBe(false);
  });

  it('leaves a policy alone that the system already has', async () => {
    writeFileSync(servicePolicy, 'of the system');
    await expect(search(write('apt-get', 'exit 1'))).rejects.toThrow();
    expect(readFileSync(servicePolicy, 'utf8')).toBe('of the system');
  });

  it('repeats what the package manager said when it fails, and removes the policy again', async () => {
    const packageManager = write('apt-get', "echo 'E: Could not resolve the mirror' >&2; exit 100");
    await expect(search(packageManager)).rejects.toThrow(/could not install nats-server: E: Could not resolve the mirror[^]*set NATS_URL/);
    expect(existsSync(servicePolicy)).toBe(false);
  });
});
