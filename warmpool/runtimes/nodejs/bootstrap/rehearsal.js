'use strict';

// The function that a stem is warmed by (stem.js).

exports.handler = async (event) => {
  await new Promise((resolve) => { setTimeout(resolve, 1); }); // the first timer takes 0.7 ms
  return { statusCode: 200, body: event.version };
};
