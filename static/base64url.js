// base64url without padding (RFC 4648 §5): how the application server writes its public key.

export function decode(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) {
    throw new TypeError("Not base64url: only A-Z a-z 0-9 - and _ may appear, and no padding.");
  }
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

// A subscription holds its key as an ArrayBuffer, and === compares buffers by identity.
export function sameBytes(one, other) {
  const [a, b] = [new Uint8Array(one), new Uint8Array(other)];
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
