/** Java's `String.hashCode`: s[0]*31^(n-1) + … + s[n-1] over UTF-16 units, as a signed 32-bit integer. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) | 0;
  return hash;
}
