/** A file that is put into a container. Owner is root; the path is absolute. */
export interface ContainerFile {
  readonly path: string;
  readonly text: string;
  /** the default is 0644 */
  readonly mode?: number;
}

const BLOCK = 512;

/**
 * Packs files as a POSIX ustar archive, for `docker cp - container:/`: nothing is written to this machine's disk on the way, and
 * owner and mode are exact. Parent folders must exist in the container. Throws RangeError on a path over 99 bytes.
 */
export function tar(files: readonly ContainerFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const file of files) {
    const data = Buffer.from(file.text, 'utf8');
    parts.push(header(file.path.replace(/^\/+/, ''), data.length, file.mode ?? 0o644), data);
    parts.push(Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK));
  }
  parts.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(parts);
}

function header(name: string, size: number, mode: number): Uint8Array {
  if (Buffer.byteLength(name) > 99) throw new RangeError(`path "${name}" is too long for an archive header`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`;
  block.write(name, 0);
  block.write(octal(mode, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(Math.floor(Date.now() / 1000), 12), 136);
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\x0000', 257);
  block.write(
    octal(
      block.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  block.write(' ', 155);
  return block;
}
