// Archives of code, in the browser: read, changed and written.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

const mostFiles = 2000;
const mostBytes = 20 << 20; // unpacked, in all

// read returns [{name, mode, data(), size}] of an archive. Folders are left out.
export function readZip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = bytes.length - 22;
  while (end >= 0 && end > bytes.length - 65558 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) throw new Error('the code is no zip archive');
  const count = view.getUint16(end + 10, true);
  if (count > mostFiles) throw new Error(`the archive has ${count} files; the page shows up to ${mostFiles}`);
  const files = [];
  let at = view.getUint32(end + 16, true);
  let total = 0;
  for (let n = 0; n < count; n++) {
    if (view.getUint32(at, true) !== 0x02014b50) throw new Error('the archive is damaged');
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const mode = view.getUint8(at + 5) === 3 ? view.getUint16(at + 40, true) : 0o100644;
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    total += size;
    if (total > mostBytes) throw new Error('the archive is too large to be shown');
    if (name.endsWith('/')) continue;
    if (flags & 1) throw new Error('the archive is encrypted');
    if (method !== 0 && method !== 8) throw new Error(`${name} is packed by method ${method}, which the page does not know`);
    const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const body = bytes.subarray(from, from + packed);
    files.push({ name, mode, size, data: () => (method === 0 ? Promise.resolve(body) : inflate(body, size)) });
  }
  return files.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function inflate(bytes, size) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const out = new Uint8Array(await new Response(stream).arrayBuffer());
  if (out.length !== size) throw new Error('the archive is damaged');
  return out;
}

async function deflate(bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer());
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n >>> 0;
});

function crc32(bytes) {
  let c = ~0;
  for (const b of bytes) c = table[(c ^ b) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

// write makes an archive of [{name, mode, data()}].
export async function writeZip(files) {
  const parts = [];
  const index = [];
  let at = 0;
  for (const file of files) {
    const name = new TextEncoder().encode(file.name);
    const data = await file.data();
    const packed = await deflate(data);
    const head = new DataView(new ArrayBuffer(30));
    head.setUint32(0, 0x04034b50, true);
    const common = (view, from) => {
      view.setUint16(from, 20, true); // version
      view.setUint16(from + 2, 0x0800, true); // names are UTF-8
      view.setUint16(from + 4, 8, true);
      view.setUint32(from + 6, 0x00210000, true); // 1 January 1980
      view.setUint32(from + 10, crc32(data), true);
      view.setUint32(from + 14, packed.length, true);
      view.setUint32(from + 18, data.length, true);
      view.setUint16(from + 22, name.length, true);
    };
    common(head, 4);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(4, (3 << 8) | 20, true); // made on Unix
    common(entry, 6);
    entry.setUint32(38, (file.mode << 16) >>> 0, true);
    entry.setUint32(42, at, true);
    parts.push(head, name, packed);
    index.push(entry, name);
    at += 30 + name.length + packed.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, index.reduce((sum, part) => sum + part.byteLength, 0), true);
  end.setUint32(16, at, true);
  return new Uint8Array(await new Blob([...parts, ...index, end]).arrayBuffer());
}

// text is a file's text; undefined if it is none.
export function text(bytes) {
  try {
    const decoded = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return decoded.includes('\0') ? undefined : decoded;
  } catch {
    return undefined;
  }
}

export function base64(bytes) {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(binary);
}
