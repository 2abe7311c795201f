// The hooks of layers.js for a Node.js that has them on a thread of their own only.

import layers from './layers.js';

const { NOT_FOUND, direct, inside, isLast, isPackage } = layers;

let folders = [];

export function initialize(data) {
  folders = data;
}

export async function resolve(specifier, context, next) {
  if (!isPackage(specifier, context)) return next(specifier, context);
  let last;
  let error;
  try {
    last = await next(specifier, context);
    if (!isLast(last.url, context)) return last;
  } catch (e) {
    if (e?.code !== NOT_FOUND) throw e;
    error = e;
  }
  for (const folder of folders) {
    const found = direct(specifier, folder);
    if (found !== undefined) return found;
    try {
      return await next(specifier, inside(folder, context));
    } catch (e) {
      if (e?.code !== NOT_FOUND) throw e;
    }
  }
  if (last === undefined) throw error;
  return last;
}
