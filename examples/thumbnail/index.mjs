import sharp from 'sharp';

const DEFAULT_WIDTH = 200;
const MAX_WIDTH = 2000;

// One image at a time comes in, so more threads than that would only wait.
sharp.concurrency(1);

export const handler = async (event) => {
  const width = widthOf(event.queryStringParameters?.width);
  if (width === undefined) {
    return failure(400, `width must be a whole number from 1 to ${MAX_WIDTH}`);
  }
  if (!event.body) {
    return failure(400, 'the body is empty; POST an image');
  }

  const original = Buffer.from(event.body, event.isBase64Encoded ? 'base64' : 'utf8');
  let image;
  try {
    image = await sharp(original)
      .rotate() // as the camera was held
      .resize({ width, withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer({ resolveWithObject: true });
  } catch (error) {
    console.warn('not an image:', error.message);
    return failure(400, 'the body is not an image that can be read');
  }

  return {
    statusCode: 200,
    headers: {
      'content-type': 'image/jpeg',
      'x-image-size': `${image.info.width}x${image.info.height}`,
    },
    body: image.data.toString('base64'),
    isBase64Encoded: true,
  };
};

function widthOf(parameter) {
  if (parameter === undefined) return DEFAULT_WIDTH;
  if (!/^[0-9]{1,4}$/.test(parameter)) return undefined;
  const width = Number(parameter);
  return width >= 1 && width <= MAX_WIDTH ? width : undefined;
}

function failure(statusCode, error) {
  return {
    statusCode,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ error }),
  };
}
