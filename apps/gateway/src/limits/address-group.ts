import ipaddr from 'ipaddr.js';

/** Of IPv6 whoever has one address has 2^64 of them. */
const networkBits = 64;

/** Whom an address is counted as: itself for IPv4, also where it is written as IPv6, and its /64 for IPv6. What is no address is itself. */
export function addressGroup(text: string): string {
  if (!text.includes(':')) return text;
  if (!ipaddr.IPv6.isValid(text)) return text;
  const address = ipaddr.IPv6.parse(text);
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return `${address.parts
    .slice(0, networkBits / 16)
    .map((part) => part.toString(16))
    .join(':')}::/${networkBits}`;
}
