// esbuild makes a bundle of this: a web application that has a bucket.
const { S3Client, ListBucketsCommand } = require('@aws-sdk/client-s3');
const express = require('express');
const serverless = require('serverless-http');

const app = express();
const client = new S3Client({ region: 'us-east-1' });
app.get('/buckets', async (request, response) => response.json(await client.send(new ListBucketsCommand({}))));
app.use((request, response) => response.send('ok'));

exports.handler = serverless(app);
