package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sizedBundle is a Node bundle of so many MB, of modules as bundlers write them.
func sizedBundle(m machine, megabytes int) loader {
	return loader{
		name: fmt.Sprintf("Node, bundle of %d MB", megabytes), family: "nodejs",
		function: function{name: fmt.Sprintf("bundle%dmb", megabytes), runtime: m.nodeRuntime(), handler: "index.handler"},
		bare:     []string{"node", "-e", "require('./index.js'); process.stdout.write('x')"},
		make: func(_ context.Context, _ *stage, folder, mark string) (code, bareFolder string, err error) {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return "", "", err
			}
			if err := os.WriteFile(filepath.Join(folder, "index.js"), []byte(modules(megabytes<<20)+"// "+mark+"\n"), 0o644); err != nil {
				return "", "", err
			}
			code = folder + ".zip"
			return code, folder, zipFolder(folder, code)
		},
	}
}

// modules is a program of about so many bytes. Each module exports ten functions and a class, and
// calls one function of the module before when it is loaded, as most modules run little of what
// they have.
func modules(size int) string {
	var all strings.Builder
	all.Grow(size + 4096)
	all.WriteString("const modules = {}, loaded = {};\nconst load = (n) => loaded[n] ??= (() => { const e = {}; modules[n](e); return e; })();\n")
	count := 0
	for ; all.Len() < size; count++ {
		fmt.Fprintf(&all, "modules.m%[1]d = (exports) => {\n", count)
		for f := range 10 {
			fmt.Fprintf(&all, "  exports.f%[2]d = function f%[2]d(input, options = {}) {\n"+
				"    const { limit = %[1]d, prefix = 'm%[1]d', ...rest } = options;\n"+
				"    if (typeof input !== 'string') throw new TypeError(`m%[1]d.f%[2]d: ${typeof input} is no string`);\n"+
				"    const parts = input.split('/').filter((part) => part !== '' && part.length <= limit + 64);\n"+
				"    return { ...rest, key: [prefix, ...parts].join('/'), size: parts.reduce((sum, part) => sum + part.length, 0) };\n  };\n", count, f)
		}
		fmt.Fprintf(&all, "  exports.Client = class Client%[1]d {\n    constructor(config) { this.config = { region: 'r%[1]d', ...config }; }\n"+
			"    async send(command) { return exports.f1(command.path, this.config); }\n  };\n", count)
		if count > 0 {
			fmt.Fprintf(&all, "  exports.base = load('m%d').f0('a/b');\n", count-1)
		}
		all.WriteString("};\n")
	}
	fmt.Fprintf(&all, "for (let n = 0; n < %d; n++) load('m' + n);\n", count)
	all.WriteString("exports.handler = async () => ({ statusCode: 200, body: 'ok' });\n")
	return all.String()
}

// makeTree makes a zip with a node_modules tree, of which the function loads what it uses.
func makeTree(ctx context.Context, s *stage, folder, mark string) (code, bareFolder string, err error) {
	tree, err := s.npm(ctx, "tree", "@aws-sdk/client-s3@3", "express@5", "sharp@0")
	if err != nil {
		return "", "", err
	}
	const program = `const { S3Client } = require('@aws-sdk/client-s3');
const express = require('express');
const sharp = require('sharp');
const app = express(), client = new S3Client({ region: 'us-east-1' });
exports.handler = async () => ({ statusCode: app && client && sharp ? 200 : 500, body: 'ok' });
`
	if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(filepath.Join(folder, "index.js"), []byte(program+"// "+mark+"\n"), 0o644)); err != nil {
		return "", "", err
	}
	// Archives have no links, and functions no programs of npm.
	if err := command(ctx, folder, "sh", "-c", "cp -rl \"$1\" . && rm -rf node_modules/.bin", "sh", filepath.Join(tree, "node_modules")); err != nil {
		return "", "", err
	}
	code = folder + ".zip"
	return code, folder, zipFolder(folder, code)
}
