// The typecheck command type-checks the daemon for many tag lists. It takes seconds for each, while
// a build that fails takes half a minute. It runs inside a generated module that requires one
// release of Tailscale.
//
// The argument is a file of jobs, one JSON object per line. Results go to stdout, one per line, in
// the same order. Function bodies are checked only in Tailscale's packages, because its build tags
// do not affect other modules. Linker errors are not detected.
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

const module = "tailscale.com"

type job struct {
	ID     string `json:"id"`
	Tags   string `json:"tags"`
	GOOS   string `json:"goos"`
	GOARCH string `json:"goarch"`
	// The folder of a program to check instead of the daemon: complaints are about its own files only.
	Folder string `json:"folder"`
}

type result struct {
	ID string `json:"id"`
	// The number of checked packages; 0 means that nothing was checked.
	Packages int `json:"packages"`
	// Errors as PATH:LINE:COLUMN: TEXT, with the path relative to Tailscale's module or the
	// program's folder.
	Complaints []string `json:"complaints"`
}

// checker caches parsed files, because most are the same for every job.
type checker struct {
	mu    sync.Mutex
	files map[string]*ast.File
	fset  *token.FileSet
}

func (c *checker) parse(name string, src []byte, whole bool) (*ast.File, error) {
	c.mu.Lock()
	file := c.files[name]
	c.mu.Unlock()
	if file != nil {
		return file, nil
	}
	file, err := parser.ParseFile(c.fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return file, err
	}
	if !whole {
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				function.Body = nil
			}
		}
	}
	c.mu.Lock()
	c.files[name] = file
	c.mu.Unlock()
	return file, nil
}

func (c *checker) check(j job) (result, error) {
	pattern, env := module+"/cmd/tailscaled", append(os.Environ(), "GOOS="+j.GOOS, "GOARCH="+j.GOARCH, "CGO_ENABLED=0")
	if j.Folder != "" {
		pattern, env = ".", append(env, "GOFLAGS=-mod=mod")
	}
	whole := func(name string) bool {
		if j.Folder != "" {
			return filepath.Dir(name) == filepath.Clean(j.Folder)
		}
		return strings.Contains(filepath.ToSlash(name), "/"+module+"@")
	}
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedDeps | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedModule,
		Dir:  j.Folder,
		Fset: c.fset,
		ParseFile: func(_ *token.FileSet, name string, src []byte) (*ast.File, error) {
			return c.parse(name, src, whole(name))
		},
		BuildFlags: []string{"-tags=" + j.Tags},
		Env:        env,
	}
	loaded, err := packages.Load(config, pattern)
	if err != nil {
		return result{}, err
	}
	out := result{ID: j.ID, Complaints: []string{}}
	packages.Visit(loaded, nil, func(p *packages.Package) {
		out.Packages++
		if j.Folder != "" && !slices.Contains(loaded, p) {
			return
		}
		for _, e := range p.Errors {
			if j.Folder != "" || !isFromMissingBody(p, e) {
				out.Complaints = append(out.Complaints, relativePosition(strings.TrimPrefix(e.Pos, j.Folder+"/"))+": "+e.Msg)
			}
		}
	})
	return out, nil
}

// isFromMissingBody reports whether an error is caused by function bodies that were removed from
// another module.
func isFromMissingBody(p *packages.Package, e packages.Error) bool {
	if p.PkgPath == module || strings.HasPrefix(p.PkgPath, module+"/") {
		// Functions written in assembly do not have a body either.
		return strings.Contains(e.Msg, "missing function body")
	}
	return strings.Contains(e.Msg, "missing function body") || strings.Contains(e.Msg, "func init must have a body") ||
		strings.Contains(e.Msg, "imported and not used") || strings.Contains(e.Msg, "and not used")
}

// relativePosition makes the path of a position relative to Tailscale's module.
func relativePosition(position string) string {
	_, rest, found := strings.Cut(filepath.ToSlash(position), "/"+module+"@")
	if !found {
		return position
	}
	_, rest, _ = strings.Cut(rest, "/")
	return rest
}

func run(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	c := &checker{files: map[string]*ast.File{}, fset: token.NewFileSet()}
	jobs := json.NewDecoder(file)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for jobs.More() {
		var j job
		if err := jobs.Decode(&j); err != nil {
			return err
		}
		r, err := c.check(j)
		if err != nil {
			return fmt.Errorf("%s: %w", j.ID, err)
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: typecheck JOBS")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
