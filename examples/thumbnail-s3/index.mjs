// Makes a thumbnail of each picture that lands in a bucket, and puts it into another:
// an unmodified Lambda function for S3 events.
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import sharp from 'sharp';

const WIDTH = Number(process.env.WIDTH ?? 200);
const TO = process.env.THUMBNAILS;

// The address and the keys come from AWS_ENDPOINT_URL_S3 and the like, as on Lambda from
// its role. Stores of one's own have buckets in the path.
const s3 = new S3Client({ forcePathStyle: true });

export const handler = async (event) => {
  for (const { s3: { bucket, object } } of event.Records) {
    const key = decodeURIComponent(object.key.replaceAll('+', ' '));
    const original = await s3.send(new GetObjectCommand({ Bucket: bucket.name, Key: key }));
    const { data, info } = await sharp(await original.Body.transformToByteArray())
      .rotate() // as the camera was held
      .resize({ width: WIDTH, withoutEnlargement: true })
      .jpeg({ quality: 80 })
      .toBuffer({ resolveWithObject: true });
    // The same event again writes the same object: events come at least once.
    await s3.send(new PutObjectCommand({
      Bucket: TO, Key: key.replace(/\.[^./]+$/, '') + '.jpg', Body: data, ContentType: 'image/jpeg',
    }));
    console.log(`${bucket.name}/${key} -> ${TO}: ${info.width}x${info.height}, ${data.length} bytes`);
  }
};
