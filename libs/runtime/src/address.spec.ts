import { createAddressPolicy, isSameAddress, normalizeHost } from './address.js';

const refusal = (address: string, allowed: string[] = [], host = 'model.example.com', port = 443): string | null =>
  createAddressPolicy(allowed).addressRefusal(host, address, port);

describe('address policy', () => {
  it.each(['8.8.8.8', '1.1.1.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'])('calls the public address %s', (address) => {
    expect(refusal(address)).toBeNull();
  });

  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'carrierGradeNat'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['172.16.0.1', 'private'],
    ['192.0.2.1', 'reserved'],
    ['192.168.0.1', 'private'],
    ['198.18.0.1', 'reserved'],
    ['224.0.0.1', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::7f00:1', 'unassigned'],
    ['::a9fe:a9fe', 'unassigned'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:100.64.0.1', 'carrierGradeNat'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['64:ff9b::a00:1', 'private'],
    ['64:ff9b:1::a00:1', 'rfc6052'],
    ['::ffff:0:7f00:1', 'rfc6145'],
    ['2002:7f00:1::', '6to4'],
    ['2002:808:808::', '6to4'],
    ['2001::1', 'teredo'],
    ['2001:db8::1', 'reserved'],
    ['4000::1', 'unassigned'],
    ['fc00::1', 'uniqueLocal'],
    ['fec0::1', 'deprecatedSiteLocal'],
    ['ff02::1', 'multicast'],
  ])('refuses %s as %s', (address, range) => {
    expect(refusal(address)).toContain(`(${range})`);
  });

  it.each(['169.254.169.254', '169.254.170.2', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', '168.63.129.16', '100.100.100.200'])(
    'keeps %s closed even when everything is allowed',
    (address) => {
      expect(refusal(address, ['0.0.0.0/0', '::/0', 'model.example.com'])).toContain('metadata');
    },
  );

  it.each(['fe80::1', 'fe80::1%eth0', 'fd00:ec2::254', 'fd20:ce::254'])('keeps the IPv6 address %s closed too', (address) => {
    expect(refusal(address, ['::/0', 'model.example.com'])).toContain('metadata');
  });

  it.each(['', 'localhost', '127.1', '0x7f.0.0.1', '2130706433', '8.8.8.8.', 'fe80::zz'])('takes %j for no address', (text) => {
    expect(refusal(text, ['0.0.0.0/0', '::/0'])).toContain('does not resolve to an IP address');
  });

  it('refuses metadata services by name', () => {
    const policy = createAddressPolicy(['metadata.google.internal']);
    expect(policy.hostRefusal('metadata.google.internal')).toContain('metadata');
    expect(policy.hostRefusal('model.example.com')).toBeNull();
  });

  it('calls a public address on the ports of web servers only', () => {
    for (const port of [80, 443, 8000, 9000]) expect(refusal('8.8.8.8', [], 'a.example', port)).toBeNull();
    for (const port of [22, 25, 79, 5432, 7999, 9001]) expect(refusal('8.8.8.8', [], 'a.example', port)).toContain(`port ${port}`);
  });

  it('opens the networks named, on every port, and no more', () => {
    expect(refusal('10.1.2.3', ['10.0.0.0/8'], 'a.example', 5001)).toBeNull();
    expect(refusal('::ffff:10.1.2.3', ['10.0.0.0/8'])).toBeNull();
    expect(refusal('11.1.2.3', ['10.0.0.0/8'], 'a.example', 5001)).toContain('port');
    expect(refusal('192.168.0.7', ['192.168.0.7'])).toBeNull();
    expect(refusal('192.168.0.8', ['192.168.0.7'])).toContain('private');
    expect(refusal('fd12::1', ['fd12::/16'])).toBeNull();
    expect(refusal('fd13::1', ['fd12::/16'])).toContain('uniqueLocal');
    expect(refusal('::1', ['127.0.0.0/8'])).toContain('loopback');
  });

  it('opens a host named, at addresses where servers live, whatever its spelling', () => {
    const allowed = ['Models.Internal.'];
    for (const address of ['10.0.0.1', '127.0.0.1', 'fd12::1', '8.8.8.8']) {
      expect(refusal(address, allowed, 'models.internal', 5001)).toBeNull();
    }
    expect(refusal('224.0.0.1', allowed, 'models.internal')).toContain('multicast');
    expect(refusal('10.0.0.1', allowed, 'other.internal')).toContain('private');
    expect(refusal('10.0.0.1', allowed, 'evil.models.internal')).toContain('private');
  });

  it('never tells which address a name has', () => {
    expect(refusal('10.11.12.13')).not.toContain('10.11');
    expect(refusal('169.254.169.254')).not.toContain('169.');
  });

  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '10.0.0',
    '300.1.1.1',
    '',
    'http://a.example',
    'a b',
    'a..b',
    '*.example.com',
    'a:80',
  ])('does not start with the entry %j', (entry) => {
    expect(() => createAddressPolicy(['127.0.0.0/8', entry])).toThrow(RangeError);
    expect(() => createAddressPolicy(['127.0.0.0/8', entry])).toThrow(`allowed_networks[1]: ${JSON.stringify(entry)}`);
  });
});

describe('hosts and addresses', () => {
  it('compares hosts without case, brackets and trailing dots', () => {
    expect(normalizeHost('Metadata.Google.Internal..')).toBe('metadata.google.internal');
    expect(normalizeHost('[::1]')).toBe('::1');
  });

  it('knows the spellings of one address', () => {
    expect(isSameAddress('::ffff:127.0.0.1', '127.0.0.1')).toBe(true);
    expect(isSameAddress('::1', '0:0:0:0:0:0:0:1')).toBe(true);
    expect(isSameAddress('127.0.0.1', '127.0.0.2')).toBe(false);
    expect(isSameAddress('::1', '127.0.0.1')).toBe(false);
    expect(isSameAddress('localhost', 'localhost')).toBe(false);
  });
});
