/**
 * 32 bits of a text: FNV-1a over UTF-16 units (http://www.isthe.com/chongo/tech/comp/fnv/), mixed as at the
 * end of MurmurHash3 (Appleby, `fmix32`), so that similar texts are far apart.
 */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
