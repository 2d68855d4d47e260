{ lib, buildGoModule, fetchFromGitHub }:
buildGoModule rec {
  pname = "tailscale";
  version = "1.102.5";
  subPackages = [ "cmd/tailscaled" ];
  # the command line is in the same file
  tags = [
    "ts_include_cli"
    "ts_omit_aws" # no cloud here
    "ts_omit_debug"
    "ts_omit_serv"
  ];
}
