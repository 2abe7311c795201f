// Draws sample.jpg, so that the example needs nobody's photograph.
import sharp from 'sharp';

const width = 1600;
const height = 1067;

const scene = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 1600 1067">
  <defs>
    <linearGradient id="sky" x2="0" y2="1">
      <stop offset="0" stop-color="#1b2a5c"/><stop offset=".6" stop-color="#e0716c"/><stop offset="1" stop-color="#ffd38a"/>
    </linearGradient>
  </defs>
  <rect width="1600" height="1067" fill="url(#sky)"/>
  <circle cx="1080" cy="620" r="110" fill="#fff1c9"/>
  <path d="M0 720 L310 470 L560 690 L830 400 L1180 730 L1390 560 L1600 740 V1067 H0 Z" fill="#3b3157"/>
  <path d="M0 860 Q400 730 800 850 T1600 820 V1067 H0 Z" fill="#221d38"/>
  <path d="M640 1000 V900 L720 830 L800 900 V1000 Z" fill="#120f20"/>
  <rect x="700" y="920" width="40" height="40" fill="#ffb347"/>
</svg>`;

await sharp(Buffer.from(scene))
  .jpeg({ quality: 78, mozjpeg: true })
  .toFile(new URL('sample.jpg', import.meta.url).pathname);
