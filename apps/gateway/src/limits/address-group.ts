import ipaddr from 'ipaddr.js';

/** Of IPv6 whoever has one address has 2^64 of them. */
const networkBits = 64;
/** As long as an address can be written. */
const maxLength = 45;

/** Some proxies add the port. */
const withPort = /^(?:(\d+\.\d+\.\d+\.\d+)|\[([^\]]+)\]):\d+$/;

/** Whom an address is counted as: itself for IPv4, also where it is written as IPv6, and its /64 for IPv6. What is no address is itself, shortened. */
export function addressGroup(text: string): string {
  const [, v4, v6] = withPort.exec(text) ?? [];
  const bare = v4 ?? v6 ?? text;
  if (!bare.includes(':') || !ipaddr.IPv6.isValid(bare)) return bare.slice(0, maxLength);
  const address = ipaddr.IPv6.parse(bare);
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return `${address.parts
    .slice(0, networkBits / 16)
    .map((part) => part.toString(16))
    .join(':')}::/${networkBits}`;
}
