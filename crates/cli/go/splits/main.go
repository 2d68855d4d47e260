// The splits command distinguishes a feature that was split out of existing code from a new
// feature. It compares the source trees of two releases as they are built and reports which code of
// the old build a new tag excludes.
//
// The argument is a file with one request as JSON. The response goes to stdout as JSON. Nothing is
// compiled or downloaded: Go's parser and build constraints decide which files belong to the daemon
// on Linux.
//
// Evidence is code that the old build contained and that is now
//   - a declaration or a whole file in a file that the tag excludes;
//   - statements of a function that a constant `buildfeatures.HasNAME` guards;
//   - a package of another module that only the feature imports.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

const module = "tailscale.com"

type request struct {
	// The directories of the two source trees.
	Old string `json:"old"`
	New string `json:"new"`
	// The build tags of both builds.
	Tags []string `json:"tags"`
	// The added features, by name.
	Features map[string]feature `json:"features"`
}

type feature struct {
	// The suffix of the constant in buildfeatures.
	Symbol string `json:"symbol"`
	// The tags that omit the features that need it. Their code does not count as evidence.
	Users []string `json:"users"`
}

// evidence is code of the old build that the feature's tag now excludes.
type evidence struct {
	// The file that contains it now, or the import path of the package.
	Path string `json:"path"`
	// "file", "declaration", "guard" or "import".
	Kind string `json:"kind"`
	// The declaration, or the function with the guard. Empty for a file or an import.
	Name string `json:"name,omitempty"`
	// The file in the old release, if it is a different one.
	From string `json:"from,omitempty"`
}

func main() {
	answer, err := run()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() (map[string][]evidence, error) {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		return nil, err
	}
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	old, err := load(r.Old, r.Tags)
	if err != nil {
		return nil, err
	}
	known := old.declarations()
	answer := map[string][]evidence{}
	for name, feature := range r.Features {
		tags := append(append([]string{}, r.Tags...), feature.Users...)
		with, err := load(r.New, tags)
		if err != nil {
			return nil, err
		}
		without, err := load(r.New, append(tags, "ts_omit_"+name))
		if err != nil {
			return nil, err
		}
		found := append(moved(old, known, with, without), guarded(known, without, feature.Symbol)...)
		sort.Slice(found, func(i, j int) bool {
			return found[i].Path+" "+found[i].Name < found[j].Path+" "+found[j].Name
		})
		answer[name] = append([]evidence{}, found...)
	}
	return answer, nil
}

// tree is the part of a source tree that one build of the daemon uses.
type tree struct {
	root string
	// The files of the build, relative to the root, parsed.
	files map[string]*ast.File
	// The imported packages of other modules.
	foreign map[string]bool
}

var (
	fset = token.NewFileSet()
	// Parsed files by path. Most are the same for every build.
	parsed = map[string]*ast.File{}
)

// load follows the imports of the daemon, including the command line.
func load(root string, tags []string) (*tree, error) {
	context := build.Default
	context.GOOS, context.GOARCH, context.CgoEnabled = "linux", "amd64", false
	context.BuildTags = append([]string{"ts_include_cli"}, tags...)
	t := &tree{root: root, files: map[string]*ast.File{}, foreign: map[string]bool{}}
	open, seen := []string{module + "/cmd/tailscaled"}, map[string]bool{}
	for len(open) > 0 {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		if name != module && !strings.HasPrefix(name, module+"/") {
			t.foreign[name] = true
			continue
		}
		folder := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
		pkg, err := context.ImportDir(filepath.Join(root, folder), 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		open = append(open, pkg.Imports...)
		for _, file := range pkg.GoFiles {
			if err := t.parse(path.Join(folder, file)); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t *tree) parse(name string) error {
	place := filepath.Join(t.root, name)
	file := parsed[place]
	if file == nil {
		var err error
		if file, err = parser.ParseFile(fset, place, nil, parser.SkipObjectResolution); err != nil {
			return err
		}
		parsed[place] = file
	}
	t.files[name] = file
	return nil
}

// declaration is the file and the lines of a declaration.
type declaration struct {
	file  string
	lines map[string]bool
}

// declarations returns the declarations by name. Methods are named `Type.Method`.
func (t *tree) declarations() map[string][]declaration {
	found := map[string][]declaration{}
	for name, file := range t.files {
		for _, one := range file.Decls {
			for _, key := range declaredNames(one) {
				found[key] = append(found[key], declaration{name, set(lines(one))})
			}
		}
	}
	return found
}

// declaredNames returns the names of functions and types. Constants and variables are found through
// the code that uses them.
func declaredNames(one ast.Decl) []string {
	switch one := one.(type) {
	case *ast.FuncDecl:
		if one.Recv != nil && len(one.Recv.List) == 1 {
			return []string{receiver(one.Recv.List[0].Type) + "." + one.Name.Name}
		}
		return []string{one.Name.Name}
	case *ast.GenDecl:
		var found []string
		for _, spec := range one.Specs {
			if spec, ok := spec.(*ast.TypeSpec); ok {
				found = append(found, spec.Name.Name)
			}
		}
		return found
	}
	return nil
}

func receiver(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.StarExpr:
		return receiver(expression.X)
	case *ast.IndexExpr:
		return receiver(expression.X)
	case *ast.IndexListExpr:
		return receiver(expression.X)
	case *ast.Ident:
		return expression.Name
	}
	return ""
}

// moved returns code of the old build that is now in files or packages that the tag excludes.
func moved(old *tree, known map[string][]declaration, with, without *tree) []evidence {
	var found []evidence
	left := without.declarations()
	for name, file := range with.files {
		if without.files[name] != nil || path.Dir(name) == "feature/buildfeatures" {
			continue
		}
		if old.files[name] != nil {
			found = append(found, evidence{Path: name, Kind: "file"})
			continue
		}
		for _, one := range file.Decls {
			for _, key := range declaredNames(one) {
				if from := origin(missing(known[key], left[key]), set(lines(one)), name); from != "" {
					found = append(found, evidence{Path: name, Kind: "declaration", Name: key, From: from})
				}
			}
		}
	}
	for name := range with.foreign {
		if !without.foreign[name] && old.foreign[name] {
			found = append(found, evidence{Path: name, Kind: "import"})
		}
	}
	return found
}

// missing returns the declarations that the new build without the feature does not have in the same
// file.
func missing(these, left []declaration) []declaration {
	var found []declaration
	for _, one := range these {
		if !slices.ContainsFunc(left, func(other declaration) bool { return other.file == one.file }) {
			found = append(found, one)
		}
	}
	return found
}

// origin returns the old file of a declaration that shares at least half of its lines. Short
// declarations must be in the same directory, because they are too generic to match across
// packages.
func origin(candidates []declaration, lines map[string]bool, place string) string {
	for _, candidate := range candidates {
		shared := common(candidate.lines, lines)
		near := path.Dir(candidate.file) == path.Dir(place)
		if 2*shared >= len(candidate.lines) && (shared >= 3 || shared >= 1 && near) {
			return candidate.file
		}
	}
	return ""
}

// guarded returns the functions of the old build that are now partly guarded by the feature's
// constant.
func guarded(known map[string][]declaration, now *tree, symbol string) []evidence {
	var found []evidence
	constants := now.constants(symbol)
	for name, file := range now.files {
		for _, one := range file.Decls {
			function, ok := one.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			guardedSet := set(guardedLines(function.Body, constants[path.Dir(name)]))
			key := declaredNames(function)[0]
			if from := guardedOrigin(known[key], guardedSet, name); from != "" {
				entry := evidence{Path: name, Kind: "guard", Name: key}
				if from != name {
					entry.From = from
				}
				found = append(found, entry)
			}
		}
	}
	return found
}

// guardedOrigin returns the old file of the function in the same package that had at least half of
// the lines.
func guardedOrigin(candidates []declaration, guarded map[string]bool, place string) string {
	for _, candidate := range candidates {
		shared := common(candidate.lines, guarded)
		if path.Dir(candidate.file) == path.Dir(place) && shared > 0 && 2*shared >= len(guarded) {
			return candidate.file
		}
	}
	return ""
}

// constants returns, by directory, the names of the feature's constant and of constants derived
// from it.
func (t *tree) constants(symbol string) map[string][]string {
	spelled := map[string][]string{}
	for name, file := range t.files {
		folder := path.Dir(name)
		if spelled[folder] == nil {
			spelled[folder] = []string{"buildfeatures.Has" + symbol}
		}
		for _, one := range file.Decls {
			group, ok := one.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				spec := spec.(*ast.ValueSpec)
				for i, value := range spec.Values {
					if used, negated := uses(value, spelled[folder][:1], false); used && !negated {
						spelled[folder] = append(spelled[folder], spec.Names[i].Name)
					}
				}
			}
		}
	}
	return spelled
}

// guardedLines returns the lines that run only if one of the constants is true.
func guardedLines(body *ast.BlockStmt, constants []string) []string {
	var found []string
	ast.Inspect(body, func(node ast.Node) bool {
		list := statements(node)
		for i, statement := range list {
			branch, ok := statement.(*ast.IfStmt)
			if !ok {
				continue
			}
			switch used, negated := uses(branch.Cond, constants, false); {
			case used && !negated:
				found = append(found, lines(branch.Body)...)
			case used && isTerminating(branch.Body):
				for _, rest := range list[i+1:] {
					found = append(found, lines(rest)...)
				}
			case used && branch.Else != nil:
				found = append(found, lines(branch.Else)...)
			}
		}
		return true
	})
	return found
}

func statements(node ast.Node) []ast.Stmt {
	switch node := node.(type) {
	case *ast.BlockStmt:
		return node.List
	case *ast.CaseClause:
		return node.Body
	case *ast.CommClause:
		return node.Body
	}
	return nil
}

// uses reports whether a condition contains one of the constants, and whether it is negated.
func uses(condition ast.Expr, constants []string, negated bool) (bool, bool) {
	switch condition := condition.(type) {
	case *ast.Ident:
		return slices.Contains(constants, condition.Name), negated
	case *ast.SelectorExpr:
		from, ok := condition.X.(*ast.Ident)
		return ok && slices.Contains(constants, from.Name+"."+condition.Sel.Name), negated
	case *ast.UnaryExpr:
		return uses(condition.X, constants, negated != (condition.Op == token.NOT))
	case *ast.ParenExpr:
		return uses(condition.X, constants, negated)
	case *ast.BinaryExpr:
		if used, under := uses(condition.X, constants, negated); used {
			return used, under
		}
		return uses(condition.Y, constants, negated)
	}
	return false, false
}

// isTerminating reports whether the code after the block does not run.
func isTerminating(body *ast.BlockStmt) bool {
	if len(body.List) == 0 {
		return false
	}
	switch last := body.List[len(body.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.ExprStmt:
		if call, ok := last.X.(*ast.CallExpr); ok {
			name, named := call.Fun.(*ast.Ident)
			return named && name.Name == "panic"
		}
	}
	return false
}

// lines returns the formatted source lines of a node, without lines that occur in any code.
func lines(node ast.Node) []string {
	if function, ok := node.(*ast.FuncDecl); ok {
		if function.Body == nil {
			return nil
		}
		node = function.Body
	}
	var text bytes.Buffer
	if err := (&printer.Config{Mode: printer.RawFormat}).Fprint(&text, fset, node); err != nil {
		return nil
	}
	var found []string
	for _, line := range strings.Split(text.String(), "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if strings.ContainsAny(line, "(=") && line != "if err != nil {" && !strings.HasPrefix(line, "//") {
			found = append(found, line)
		}
	}
	return found
}

func set(lines []string) map[string]bool {
	found := map[string]bool{}
	for _, line := range lines {
		found[line] = true
	}
	return found
}

func common(these, those map[string]bool) int {
	count := 0
	for line := range these {
		if those[line] {
			count++
		}
	}
	return count
}
