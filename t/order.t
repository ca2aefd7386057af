# the order of the checks: of two faults of a request the earlier one is told

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;

our $secret = 'whsec_b25lIHNlY3JldCBvZiAzMiBieXRlcyBsZW5ndGggIQ==';
our $other = 'whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aCE=';

# name, status, code, detail, in the order of the contract

our @faults = (
    ['method', 405, 'method_not_allowed', '^webhooks are sent with'],
    ['credential', 401, 'credential_mismatch', '^the credential sent'],
    ['timestamp', 401, 'timestamp_out_of_tolerance', '^webhook-timestamp is'],
    ['header client', 403, 'client_not_allowed', '^X-Codat-ClientId'],
    ['type', 415, 'unsupported_media_type', '^Content-Type'],
    ['encoding', 415, 'unsupported_media_type', '^Content-Encoding'],
    ['size', 413, 'body_too_large',
     '^the body is larger than client_max_body_size of this location$'],
    ['signature', 401, 'signature_mismatch', '^no signature sent'],
    ['json', 400, 'malformed_json', ' at byte \d+ of the body$'],
    ['body client', 403, 'client_not_allowed', '^ClientId of the body'],
);

# every fault alone, then every pair, the one to be told in front

our @cases = ((map { [$_] } @faults), map {
    my $i = $_;
    map { [$faults[$i], $faults[$_]] } $i + 1 .. $#faults
} 0 .. $#faults);

# request($case, $chunked): (the request, its headers)

our $n = 0;

sub webhook {
    my ($case, $chunked) = @_;
    my %has = map { $_->[0] => 1 } @$case;

    my $client = $has{'body client'} ? 'alien' : 'mine';
    my $pad = $has{size} ? 'x' x 3000 : 'x';
    my $body = qq({"AlertId":"a-1","RuleType":"Sync Failed","pad":"$pad",)
        . qq("ClientId":"$client") . ($has{json} ? '' : '}');

    my $headers = signed_headers($has{signature} ? $other : $secret, $body,
                                 offset => $has{timestamp} ? 3600 : 0);
    $headers .= 'Authorization: Bearer ' . ($has{credential} ? 'wr0ng' : 't0ken')
        . "\n";
    $headers .= "X-Codat-ClientId: alien\n" if $has{'header client'};
    $headers .= "Content-Type: text/plain\n" if $has{type};
    $headers .= "Content-Encoding: gzip\n" if $has{encoding};

    if ($chunked) {
        $headers .= "Transfer-Encoding: chunked\n";
        $body = CodatTest::Client::chunk($body, 1000);
    }

    return (($has{method} ? 'DELETE' : 'POST') . " /webhook\n$body", $headers);
}

my @secrets = ('t0ken', 'wr0ng', map { s/^whsec_//r } $secret, $other);
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = "location /webhook { codat_webhook zone=codat; codat_client mine;
                                  codat_credential signature $secret;
                                  codat_credential bearer t0ken;
                                  client_max_body_size 2k;
                                  client_body_buffer_size 512; }";

webhook_blocks(http => $http, config => $config, secrets => \@secrets);

run_tests();

__DATA__

=== TEST 1: without a fault it is accepted, with Content-Length and chunked
--- request eval: [map { (main::webhook([], $_))[0] } 0, 1]
--- more_headers eval: [map { (main::webhook([], $_))[1] } 0, 1]
--- error_code eval: [200, 200]
--- response_body eval
[('{"id":"a-1","type":"expenses.sync.unsuccessful","result":"accepted"}') x 2]


=== TEST 2: Content-Length: the first of two faults is told
--- request eval: [map { (main::webhook($_))[0] } @::cases]
--- more_headers eval: [map { (main::webhook($_))[1] } @::cases]
--- error_code eval: [map { $_->[0][1] } @::cases]
--- problem eval: [map { $_->[0][2] } @::cases]
--- detail eval: [map { $_->[0][3] } @::cases]
--- logged eval: [map { (grep { $_->[0] eq 'size' } @$_) ? '^\S+ \S+ \[error\] \S+ \S+ client intended to send too large body: ' : '' } @::cases]
--- response_headers eval
[map { ($_->[0][1] == 405 ? 'Allow: POST, PUT' : '!Allow') . "\n"
     . ($_->[0][1] == 401 ? 'WWW-Authenticate: Bearer realm="codat", Signature realm="codat", '
                            . 'headers="webhook-id webhook-timestamp webhook-signature"'
                          : '!WWW-Authenticate') } @::cases]


=== TEST 3: chunked: the first of two faults is told
--- request eval: [map { (main::webhook($_, 1))[0] } @::cases]
--- more_headers eval: [map { (main::webhook($_, 1))[1] } @::cases]
--- error_code eval: [map { $_->[0][1] } @::cases]
--- problem eval: [map { $_->[0][2] } @::cases]
--- detail eval: [map { $_->[0][3] } @::cases]
--- logged eval: [map { $_->[0][0] eq 'size' ? '^\S+ \S+ \[error\] \S+ \S+ client intended to send too large chunked body: ' : '' } @::cases]
--- response_headers eval
[map { ($_->[0][1] == 405 ? 'Allow: POST, PUT' : '!Allow') . "\n"
     . ($_->[0][1] == 401 ? 'WWW-Authenticate: Bearer realm="codat", Signature realm="codat", '
                            . 'headers="webhook-id webhook-timestamp webhook-signature"'
                          : '!WWW-Authenticate') } @::cases]
