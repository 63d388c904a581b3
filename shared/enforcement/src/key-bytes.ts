const NIBBLES = new Uint8Array(128).fill(255);
for (let i = 0; i < 16; i++) NIBBLES[i.toString(16).charCodeAt(0)] = i;

/** Writes the 32 bytes that 64 lower-case hex digits stand for into `into`. The text must have been checked before. */
export function decodeKey(hex: string, into: Uint8Array): Uint8Array {
  for (let i = 0; i < 32; i++)
    into[i] = (NIBBLES[hex.charCodeAt(2 * i)]! << 4) | NIBBLES[hex.charCodeAt(2 * i + 1)]!;
  return into;
}
