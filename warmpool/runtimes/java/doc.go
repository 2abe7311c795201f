// Package java holds the bootstrap of the Java runtimes: three jars, made by
// build.sh from the sources in src and committed, since functions run where there
// is only a JRE.
//
//	bootstrap.jar   the runtime, and Gson (Apache License 2.0) that it reads JSON with
//	interfaces.jar  com.amazonaws.services.lambda.runtime, for functions that lack it
//	rehearsal.jar   a function that a stem is warmed by
//
// Runtime and function have class loaders that do not know each other: a function
// may bring its own Gson, and its own version of the interfaces, of which contexts
// are proxies.
//
//	platform loader
//	 ├─ application loader   bootstrap.jar
//	 └─ function loader      /var/task, its jars, lib/*.jar, layers, interfaces.jar
//
// A stem has loaded and run all of the runtime. What it then learns with the init
// frame are the variables, which Java has no way to change but through the map
// behind System.getenv; java.base is opened for that, and to use descriptors 3 and 4.
//
// The working directory of a process cannot be changed from Java. A stem starts in /,
// with user.dir as Lambda has it: java.nio resolves relative paths by it, streams of
// java.io do not.
//
// The classes of the runtime are in a class-data archive (AppCDS), made once for a
// JRE in the sandbox, where the jars have the paths that they will have; a JRE that
// does not take it starts without.
package java
