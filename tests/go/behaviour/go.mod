module featureset.invalid/behaviour

go 1.25
