package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// made is a folder for what is made of packages from elsewhere.
func (s *stage) made(name string) (string, error) {
	folder := filepath.Join(s.folder, "made", name)
	return folder, os.MkdirAll(folder, 0o755)
}

// command runs a program in folder. The error has the end of what it said.
func command(ctx context.Context, folder, name string, arguments ...string) error {
	c := exec.CommandContext(ctx, name, arguments...)
	c.Dir = folder
	output, err := c.CombinedOutput()
	if err != nil {
		text := strings.TrimSpace(string(output))
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments[:min(2, len(arguments))], " "), err, text[max(0, len(text)-500):])
	}
	return nil
}

// npm installs packages into a folder of their own, once in a run.
func (s *stage) npm(ctx context.Context, name string, packages ...string) (string, error) {
	folder, err := s.made(name)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(folder, "node_modules", ".package-lock.json")); err == nil {
		return folder, nil
	}
	if err := os.WriteFile(filepath.Join(folder, "package.json"), []byte("{\"private\":true}\n"), 0o644); err != nil {
		return "", err
	}
	progress("npm install %s", strings.Join(packages, " "))
	return folder, command(ctx, folder, "npm", append([]string{"install", "--no-audit", "--no-fund", "--loglevel=error"}, packages...)...)
}

// makeBundle makes a zip of a bundle of 2.6 MB. The mark makes it another code.
func makeBundle(ctx context.Context, s *stage, folder, mark string) (code, bareFolder string, err error) {
	npm, err := s.npm(ctx, "npm", "@aws-sdk/client-s3@3", "express@5", "serverless-http@4", "esbuild@0")
	if err != nil {
		return "", "", err
	}
	bundle := filepath.Join(npm, "index.js")
	if _, err := os.Stat(bundle); err != nil {
		entry, err := os.ReadFile(s.asset("bundle/entry.js"))
		if err == nil {
			err = os.WriteFile(filepath.Join(npm, "entry.js"), entry, 0o644)
		}
		if err == nil {
			err = command(ctx, npm, "node_modules/.bin/esbuild", "entry.js", "--bundle", "--platform=node", "--outfile=index.js", "--log-level=error")
		}
		if err != nil {
			return "", "", err
		}
	}
	text, err := os.ReadFile(bundle)
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		return "", "", err
	}
	if err := os.WriteFile(filepath.Join(folder, "index.js"), fmt.Appendf(text, "// %s\n", mark), 0o644); err != nil {
		return "", "", err
	}
	code = folder + ".zip"
	return code, folder, zipFolder(folder, code)
}

// makeBoto3 makes a zip of boto3 as the machine has it, with the descriptions of the two
// services that the function uses.
func makeBoto3(ctx context.Context, s *stage, folder, mark string) (code, bareFolder string, err error) {
	program, err := s.runtime(ctx, thisPython(ctx))
	if err != nil {
		return "", "", err
	}
	output, err := exec.CommandContext(ctx, program, "-c", "import boto3, os; print(os.path.dirname(os.path.dirname(boto3.__file__)))").Output()
	if err != nil {
		return "", "", fmt.Errorf("%s has no boto3: %w", program, err)
	}
	packages := strings.TrimSpace(string(output))
	for _, name := range []string{"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"} {
		if err := copyPackage(filepath.Join(packages, name), filepath.Join(folder, name)); err != nil {
			return "", "", err
		}
	}
	if err := markedApp(s, folder, mark); err != nil {
		return "", "", err
	}
	code = folder + ".zip"
	return code, folder, zipFolder(folder, code)
}

// makeSDK makes a zip of the function alone: boto3 is that of the runtime.
func makeSDK(ctx context.Context, s *stage, folder, mark string) (code, bareFolder string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", "", err
	}
	if err := markedApp(s, folder, mark); err != nil {
		return "", "", err
	}
	code = folder + ".zip"
	return code, folder, zipFolder(folder, code)
}

func markedApp(s *stage, folder, mark string) error {
	app, err := os.ReadFile(s.asset("boto3/app.py"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "app.py"), fmt.Appendf(app, "# %s\n", mark), 0o644)
}

// thisPython is the Lambda name of the machine's Python, as machine.pythonRuntime has it.
func thisPython(ctx context.Context) string {
	output, err := exec.CommandContext(ctx, "python3", "--version").Output()
	if err != nil {
		return "python3"
	}
	return machine{Python: firstVersion(string(output))}.pythonRuntime()
}

// copyPackage copies what a zip for Lambda has of a Python package: no bytecode, and of
// botocore's data only what all services need, S3 and DynamoDB.
func copyPackage(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		switch {
		case entry.Name() == "__pycache__":
			return fs.SkipDir
		case entry.IsDir() && filepath.Base(filepath.Dir(path)) == "data" && entry.Name() != "s3" && entry.Name() != "dynamodb":
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		}
		text, err := os.ReadFile(path) // through links, which Debian has some of
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
}

func zipFolder(folder, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := zip.NewWriter(f)
	if err := w.AddFS(os.DirFS(folder)); err != nil {
		return err
	}
	return w.Close()
}

const generatedClasses = 2000

// makeJar makes a jar with Jackson, classes and the function. The mark is a class more.
func makeJar(ctx context.Context, s *stage, folder, mark string) (code, bareFolder string, err error) {
	const jars = "/usr/share/java"
	base, err := s.made("classes")
	if err != nil {
		return "", "", err
	}
	classes := filepath.Join(base, "classes")
	if _, err := os.Stat(filepath.Join(classes, "Main.class")); err != nil {
		sources := filepath.Join(base, "sources")
		if err := errors.Join(os.MkdirAll(sources, 0o755), os.MkdirAll(classes, 0o755)); err != nil {
			return "", "", err
		}
		if err := writeClasses(sources); err != nil {
			return "", "", err
		}
		main, err := os.ReadFile(s.asset("jackson/Main.java"))
		if err != nil {
			return "", "", err
		}
		if err := os.WriteFile(filepath.Join(sources, "Main.java"), main, 0o644); err != nil {
			return "", "", err
		}
		for _, jar := range []string{"jackson-annotations", "jackson-core", "jackson-databind"} {
			if err := command(ctx, classes, "jar", "xf", filepath.Join(jars, jar+".jar")); err != nil {
				return "", "", err
			}
		}
		// What is meant for a jar with signatures or modules is not for this one.
		if err := errors.Join(os.RemoveAll(filepath.Join(classes, "META-INF")), os.RemoveAll(filepath.Join(classes, "module-info.class"))); err != nil {
			return "", "", err
		}
		progress("javac of %d classes", generatedClasses)
		if err := command(ctx, sources, "sh", "-c", "javac --release 11 -nowarn -cp '"+classes+"' -d '"+classes+"' *.java"); err != nil {
			return "", "", err
		}
	}
	lib := filepath.Join(folder, "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		return "", "", err
	}
	if err := os.WriteFile(filepath.Join(classes, "mark.txt"), []byte(mark), 0o644); err != nil {
		return "", "", err
	}
	if err := command(ctx, classes, "jar", "--create", "--file", filepath.Join(lib, "app.jar"), "--main-class", "Main", "-C", classes, "."); err != nil {
		return "", "", err
	}
	code = folder + ".zip"
	return code, folder, zipFolder(folder, code)
}

// writeClasses writes classes that all are loaded by Generated.load.
func writeClasses(folder string) error {
	var all strings.Builder
	all.WriteString("class Generated {\n\tstatic int load() {\n\t\tint sum = 0;\n")
	for i := range generatedClasses {
		fmt.Fprintf(&all, "\t\tsum += new Part%d().value();\n", i)
		part := fmt.Sprintf("class Part%[1]d implements java.util.function.IntUnaryOperator {\n"+
			"\tprivate final String name = \"part %[1]d\";\n"+
			"\tint value() { return applyAsInt(name.length()); }\n"+
			"\tpublic int applyAsInt(int x) { return x + %[1]d; }\n}\n", i)
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("Part%d.java", i)), []byte(part), 0o644); err != nil {
			return err
		}
	}
	all.WriteString("\t\treturn sum;\n\t}\n}\n")
	return os.WriteFile(filepath.Join(folder, "Generated.java"), []byte(all.String()), 0o644)
}
