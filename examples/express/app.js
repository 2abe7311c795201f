'use strict';

const path = require('node:path');
const express = require('express');

const app = express();
app.use(express.json());
app.use(express.urlencoded({ extended: false }));
app.use(express.static(path.join(__dirname, 'public')));

app.get('/', (req, res) => {
  const visits = visitsFrom(req.get('cookie')) + 1;
  res.cookie('visits', String(visits), { httpOnly: true, sameSite: 'lax' });
  res.type('html').send(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Express</title><link rel="stylesheet" href="style.css"></head>
<body>
<h1>Express</h1>
<p>Visits: ${visits}</p>
<form method="post" action="greetings"><input name="name" placeholder="Your name"> <button>Greet</button></form>
</body>
</html>
`);
});

app.get('/users/:id', (req, res) => {
  res.json({ id: req.params.id, verbose: req.query.verbose === 'true' });
});

app.post('/users', (req, res) => {
  if (typeof req.body?.name !== 'string') {
    res.status(400).json({ error: 'name is missing' });
    return;
  }
  res.status(201).location('/users/1').json({ id: '1', name: req.body.name });
});

app.post('/greetings', (req, res) => {
  res.type('text').send(`Hello, ${req.body?.name || 'world'}!\n`);
});

function visitsFrom(cookies = '') {
  const visits = /(?:^|;\s*)visits=(\d{1,9})(?:;|$)/.exec(cookies);
  return visits ? Number(visits[1]) : 0;
}

module.exports = app;

if (require.main === module) {
  const server = app.listen(Number(process.env.PORT) || 3000, () => {
    console.log(`listening on port ${server.address().port}`);
  });
}
