// AWS's event stream encoding: https://docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html
// TLS and HTTP check the bytes already, so the checksums are not compared.

const most = 32 << 20; // bytes of one message

// messages yields {headers, text} for each message of a response.
export async function* messages(response) {
  const reader = response.body.getReader();
  let held = new Uint8Array(0);
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
      for (;;) {
        if (held.length < 12) break;
        const view = new DataView(held.buffer, held.byteOffset, held.length);
        const length = view.getUint32(0);
        if (length < 16 || length > most) throw new Error('this is no event stream');
        if (held.length < length) break;
        const headers = view.getUint32(4);
        if (headers > length - 16) throw new Error('this is no event stream');
        yield { headers: parse(held.subarray(12, 12 + headers)), text: new TextDecoder().decode(held.subarray(12 + headers, length - 4)) };
        held = held.slice(length);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// The headers with text, which are all that these streams have.
function parse(bytes) {
  const headers = Object.create(null);
  const decoder = new TextDecoder();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + bytes[at];
    const name = decoder.decode(bytes.subarray(at + 1, nameEnd));
    if (bytes[nameEnd] !== 7) throw new Error('a header of the event stream is no text');
    const end = nameEnd + 3 + view.getUint16(nameEnd + 1);
    headers[name] = decoder.decode(bytes.subarray(nameEnd + 3, end));
    at = end;
  }
  return headers;
}
