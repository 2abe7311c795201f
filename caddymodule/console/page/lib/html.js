// Templates and hooks. What a template is given as a child or an attribute is set as text.
import { h, render, Fragment } from '../vendor/preact.mjs';
import { useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback } from '../vendor/hooks.mjs';
import htm from '../vendor/htm.mjs';

const html = htm.bind(h);

export { html, render, Fragment, useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback };
