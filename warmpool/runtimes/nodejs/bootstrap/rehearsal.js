'use strict';

// The function that a stem is warmed by (stem.js).

exports.handler = async (event) => ({ statusCode: 200, body: event.version });
