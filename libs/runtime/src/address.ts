import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

const nat64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96');
const globalUnicastV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Cloud metadata and link-local services hand out credentials: no configuration opens them. */
const neverCallable: Network[] = [
  '169.254.0.0/16',
  '168.63.129.16/32', // Azure
  '100.100.100.200/32', // Alibaba
  'fe80::/10',
  'fd00:ec2::/32', // AWS
  'fd20:ce::254/128', // Google
].map((network) => ipaddr.parseCIDR(network));

const neverCallableHosts = new Set(['metadata.google.internal', 'metadata.goog', 'metadata']);

/** Where servers of one's own live, so what naming a host in `allowed_networks` opens for that host. */
const rangesOpenedByHost = new Set(['unicast', 'private', 'loopback', 'uniqueLocal', 'carrierGradeNat']);

/** A host as it is compared and connected to: lower case, without brackets and trailing dots. */
export function normalizeHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.+$/, '');
}

/** The IPv4 address that a mapped or NAT64 address reaches, else the address itself; null when the text is no IP address. */
function parseAddress(text: string): Address | null {
  if (isIP(text) === 0) return null;
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv4) return address;
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  if (address.match(nat64)) return new ipaddr.IPv4(address.toByteArray().slice(12));
  return address;
}

const isIn = (address: Address, networks: Network[]): boolean =>
  networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));

/**
 * The kind of network an address belongs to: ipaddr.js' range name, where `unicast` means public. IPv6 is public in 2000::/3 alone, all
 * that IANA has assigned; ipaddr.js calls also the rest unicast, such as the IPv4-compatible ::a9fe:a9fe. 6to4 and Teredo addresses are
 * ranges of their own and so never public, whatever IPv4 address they carry.
 */
function rangeOf(address: Address): string {
  const range = address.range();
  return range === 'unicast' && address instanceof ipaddr.IPv6 && !address.match(globalUnicastV6) ? 'unassigned' : range;
}

const isPublicPort = (port: number): boolean => port === 80 || port === 443 || (port >= 8000 && port <= 9000);

/** Whether two texts name the same address, `::ffff:127.0.0.1` and `127.0.0.1` among them. */
export function isSameAddress(one: string, other: string): boolean {
  const address = parseAddress(one);
  return address !== null && address.toNormalizedString() === parseAddress(other)?.toNormalizedString();
}

export interface AddressPolicy {
  /** Why this host may not be called whatever it resolves to; null when its addresses decide. `host` is normalised. */
  hostRefusal(host: string): string | null;
  /** Why this host may not be called at this IP address and port; null when it may. Names the kind of network, never the address. */
  addressRefusal(host: string, address: string, port: number): string | null;
}

function parseNetwork(entry: string): Network | null {
  const [address = '', bits] = entry.split('/', 2);
  const kind = isIP(address);
  if (kind === 0) return null;
  const longest = kind === 4 ? 32 : 128;
  if (bits === undefined) return [ipaddr.parse(address), longest];
  return /^\d{1,3}$/.test(bits) && Number(bits) <= longest && entry === `${address}/${bits}` ? [ipaddr.parse(address), Number(bits)] : null;
}

/** The entries of a list separated by commas, as the environment has it. */
export const entriesOf = (text: string): string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);

/** Labels of letters, digits, _ and -; a last label without a letter would be a mistyped IPv4 address. */
const hostPattern = /^(?=.{1,253}$)([a-z0-9_-]{1,63}\.)*(?=[a-z0-9_-]*[a-z])[a-z0-9_-]{1,63}$/;

/**
 * Decides which addresses may be called. Without `allowed_networks`: public addresses on the ports 80, 443 and 8000 to 9000. An entry is
 * a CIDR or an address, which opens that network on every port, or a host name, which opens the private, loopback and public addresses
 * of that host on every port. Link-local and cloud metadata addresses stay closed. Throws RangeError naming an entry that is none of these.
 */
export function createAddressPolicy(allowed_networks: readonly string[]): AddressPolicy {
  const networks: Network[] = [];
  const hosts = new Set<string>();
  allowed_networks.forEach((entry, index) => {
    const network = parseNetwork(entry);
    if (network) networks.push(network);
    else if (hostPattern.test(normalizeHost(entry))) hosts.add(normalizeHost(entry));
    else {
      const accepted = 'a CIDR such as 10.0.0.0/8, an IP address or a host name';
      throw new RangeError(`allowed_networks[${index}]: ${JSON.stringify(entry)} is not ${accepted}`);
    }
  });

  return {
    hostRefusal: (host) => (neverCallableHosts.has(host) ? `${host} is a cloud metadata service` : null),

    addressRefusal(host, text, port) {
      const address = parseAddress(text);
      if (!address) return `${host} does not resolve to an IP address`;
      if (isIn(address, neverCallable)) return `${host} is at a link-local or cloud metadata address`;
      if (isIn(address, networks)) return null;
      const range = rangeOf(address);
      if (hosts.has(host) && rangesOpenedByHost.has(range)) return null;
      if (range !== 'unicast') return `${host} is not at a public address (${range}) and not in the allowed networks`;
      return isPublicPort(port) ? null : `port ${port} of a public host; accepted: 80, 443 and 8000 to 9000`;
    },
  };
}

export const networksAccepted = 'CIDRs such as 10.0.0.0/8, IP addresses and host names, separated by commas';

/** Whether every entry of a text such as `10.0.0.0/8, models.internal` is one of those. */
export function isNetworkList(text: string): boolean {
  try {
    createAddressPolicy(entriesOf(text));
    return true;
  } catch {
    return false;
  }
}
