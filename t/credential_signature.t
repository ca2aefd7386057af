# codat_credential signature: who may sign, with what, and when

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;
use HTTP::Date qw(str2time);

# the vectors that the Standard Webhooks project publishes: both signatures
# are those of one message
our $secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
our $public = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';
our $private = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKki'
    . 'oLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
our $published = '{"test": 2432232314}';
our $published_headers = "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\n"
    . "webhook-timestamp: 1614265330\n";
our $published_v1 = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
our $published_v1a = 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXq'
    . 'YXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==';

our $other = 'whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aCE=';
our $third = 'whsec_dGhpcmQgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aCE=';
our ($other_private, $other_public) = keypair();

our $body = '{"id":"e-1","eventType":"invoices.write.successful","payload":{}}';
our $accepted
    = '{"id":"e-1","type":"invoices.write.successful","result":"accepted"}';
our $challenge = 'WWW-Authenticate: Signature realm="codat", '
    . 'headers="webhook-id webhook-timestamp webhook-signature"';

my @secrets = map { s/^wh[a-z]+_//r } $secret, $other, $third, $public;
my $http = "codat_zone zone=codat:1m;\n";
my $config = "location /webhook { codat_webhook zone=codat;
                                   codat_credential signature $secret; }\n";

webhook_blocks(http => $http, config => $config, secrets => \@secrets);


# what blocks can't say: edges that depend on nginx's own clock, which its
# answers tell, and clients that hold their body back

{
    my $nginx = CodatTest::Nginx->new(level => 'info', conf => {
        http => "$http keepalive_timeout 5s;",
        server => "codat_credential signature $secret;
                   location /webhook { codat_webhook zone=codat; }
                   location /one { codat_webhook zone=codat;
                                   codat_tolerance 1s; }",
    })->start;

    my %wanted = (
        '/webhook' => { map { $_ => abs $_ <= 300 } -301, -300, 300, 301 },
        '/one' => { map { $_ => abs $_ <= 1 } -2, -1, 1, 2 },
    );
    my $client = $nginx->client;

    for my $round (1 .. 50) {
        for my $uri (CORE::sort keys %wanted) {
            for my $offset (CORE::sort keys %{$wanted{$uri}}) {
                my $stamp = time() + $offset;
                my $got = $client->request('POST', $uri,
                    signed_headers($secret, $body, ts => $stamp), $body);
                my $distance = $stamp - str2time($got->header('date'));
                my $expected = delete $wanted{$uri}{$distance} // next;

                is($got->status, $expected ? 200 : 401,
                   "$uri: a timestamp $distance seconds from now");
                is($got->json->{code} // $got->json->{result},
                   $expected ? 'accepted' : 'timestamp_out_of_tolerance',
                   "$uri: $distance: code");
                like($got->json->{detail},
                     $uri eq '/one' ? qr/ 1s / : qr/ 300s /,
                     "$uri: $distance: the detail names the tolerance")
                    unless $expected;
            }
        }
        last unless map { keys %$_ } values %wanted;
    }
    is_deeply([map { keys %$_ } values %wanted], [], 'all edges were met');

    # 1 MB is announced, nothing sent

    for my $case (
        ['no signature', '', 'signature_missing'],
        ['an old timestamp', signed_headers($secret, $body, offset => -9999),
         'timestamp_out_of_tolerance'],
    ) {
        my ($name, $headers, $code) = @$case;
        my $start = time();
        my $stranger = $nginx->client;
        my $got = $stranger->request('POST', '/webhook',
            $headers . "Content-Length: 1048576\n", undef);

        is($got && $got->status, 401, "$name: answered without the body");
        is($got->json->{code}, $code, "$name: code");
        cmp_ok(time() - $start, '<', slow(4), "$name: at once");

        $got = $nginx->request('POST', '/webhook', $headers
            . "Transfer-Encoding: chunked\n", undef);
        is($got && $got->status, 401, "$name, chunked: without the body");
        is($got->json->{code}, $code, "$name, chunked: code");
    }

    # ... but where all headers look right it has to be read

    my $slow = $nginx->client;
    my $wrong = signed_headers($other, $body);
    $slow->send($slow->build('POST', '/webhook', $wrong, $body)
                =~ s/\Q$body\E$//r);
    ok(!$slow->read_response(timeout => 0.3), 'waits for a body to verify');
    $slow->send($body);
    is($slow->read_response->json->{code}, 'signature_mismatch',
       'a wrong signature is found out with the body');

    undef $_ for $client, $slow;
    ok($nginx->wait_idle, 'no connection is left');
    no_bad_log($nginx);
    unlike($nginx->error_log(all => 1), qr/\Q$secrets[0]\E/,
           'no secret in the log');
    ok($nginx->stop, 'nginx stops');
}


run_tests();

__DATA__

=== TEST 1: a signature made with the secret is accepted
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::secret, $::body)
--- response_headers
!WWW-Authenticate
--- response_body eval: $::accepted


=== TEST 2: the published HMAC vector is accepted within a wide tolerance
--- config eval
"location /webhook { codat_webhook zone=codat; codat_tolerance 20y;
                     codat_credential signature $::secret; }"
--- request eval: "POST /webhook\n$::published"
--- more_headers eval: "$::published_headers" . "webhook-signature: $::published_v1"
--- response_body chop
{"id":null,"type":"unknown","result":"accepted"}


=== TEST 3: the published Ed25519 vector is accepted
--- config eval
"location /webhook { codat_webhook zone=codat; codat_tolerance 20y;
                     codat_credential signature $::public; }"
--- request eval: "POST /webhook\n$::published"
--- more_headers eval: "$::published_headers" . "webhook-signature: $::published_v1a"
--- response_body chop
{"id":null,"type":"unknown","result":"accepted"}


=== TEST 4: published vectors are too old for the default tolerance
--- request eval: "POST /webhook\n$::published"
--- more_headers eval: "$::published_headers" . "webhook-signature: $::published_v1"
--- error_code: 401
--- problem: timestamp_out_of_tolerance
--- detail: ^webhook-timestamp is more than 300s away from this server's clock$
--- response_headers eval: $::challenge


=== TEST 5: one bit of body, id or timestamp changed is a mismatch
--- config eval
"location /webhook { codat_webhook zone=codat; codat_tolerance 20y;
                     codat_credential signature $::secret;
                     codat_credential signature $::public; }"
--- request eval
['POST /webhook' . "\n" . ($::published =~ s/4}/5}/r),
 'POST /webhook' . "\n" . ($::published =~ s/: /:/r),
 'POST /webhook' . "\n" . "$::published" . ' ',
 ("POST /webhook\n$::published") x 4]
--- more_headers eval
my $signature = "webhook-signature: $::published_v1 $::published_v1a\n";
my $length = length $::published;
[("$::published_headers$signature") x 2,
 "$::published_headers${signature}Content-Length: " . ($length + 1),
 ($::published_headers =~ s/msg_p/msg_P/r) . $signature,
 ($::published_headers =~ s/Jek/Je/r) . $signature,
 ($::published_headers =~ s/330/331/r) . $signature,
 ($::published_headers =~ s/ 16/ 016/r) . $signature]
--- error_code eval: [(401) x 7]
--- problem eval: [('signature_mismatch') x 7]
--- detail eval: [('^no signature sent was made with a configured secret over these headers and this body$') x 7]
--- response_headers eval: [("$::challenge") x 7]


=== TEST 6: a dot moved between id and timestamp is no way in
--- config eval
"location /webhook { codat_webhook zone=codat; codat_tolerance 20y;
                     codat_credential signature $::secret; }"
--- request eval: "POST /webhook\n$::published"
--- more_headers eval
my ($id, $stamp) = ('msg_1', time());
"webhook-id: $id.$stamp\nwebhook-timestamp: $stamp\nwebhook-signature: "
    . sign($::secret, $id, "$stamp.$stamp", $::published)
--- error_code: 200
--- response_body chop
{"id":null,"type":"unknown","result":"accepted"}


=== TEST 7: another secret's signature is a mismatch, v1 and v1a alike
--- config eval
"location /webhook { codat_webhook zone=codat;
                     codat_credential signature $::secret;
                     codat_credential signature $::public; }"
--- request eval: [("POST /webhook\n$::body") x 3]
--- more_headers eval
[signed_headers($::other, $::body), signed_headers($::other_private, $::body),
 signed_headers([$::other, $::other_private, $::third], $::body)]
--- error_code eval: [(401) x 3]
--- problem eval: [('signature_mismatch') x 3]
--- response_headers eval: [("$::challenge") x 3]


=== TEST 8: several secrets are alternatives, in any order
--- config eval
"location /webhook { codat_webhook zone=codat;
                     codat_credential signature $::secret;
                     codat_credential signature $::public;
                     codat_credential signature $::other; }"
--- request eval: [("POST /webhook\n$::body") x 4]
--- more_headers eval
[(map { signed_headers($_, $::body) } $::secret, $::other, $::private, $::third)]
--- error_code eval: [(200) x 3, 401]
--- problem eval: [('') x 3, 'signature_mismatch']
--- response_body_like eval: [("^\Q$::accepted\E\$") x 3, 'signature_mismatch']


=== TEST 9: one right signature among several is enough, wherever it stands
--- request eval: [("POST /webhook\n$::body") x 5]
--- more_headers eval
[signed_headers([$::secret, $::other], $::body),
 signed_headers([$::other, $::secret], $::body),
 signed_headers([$::other_private, $::third, $::secret], $::body),
 signed_headers([($::other) x 10, $::secret], $::body),
 signed_headers([($::other_private) x 20, $::secret], $::body)]
--- error_code eval: [(200) x 5]
--- response_body eval: [("$::accepted") x 5]


=== TEST 10: unknown versions and rubbish in the list are skipped
--- request eval: [("POST /webhook\n$::body") x 6]
--- more_headers eval
my $id = 0;
[map {
    my ($id, $stamp) = ('msg_' . $id++, time());
    signed_headers($::secret, $::body, id => $id, ts => $stamp, signature =>
                   CORE::join(' ', @$_, sign($::secret, $id, $stamp, $::body)))
} ['v2,AAAA'], ['v1'], ['v1,'], [','], ['v1,!!!! v1a,=== v9,x,y'], ['', '', '']]
--- error_code eval: [(200) x 6]
--- response_body eval: [("$::accepted") x 6]


=== TEST 11: rotation: old and new secret sign, either is configured
--- config eval
"location /webhook { codat_webhook zone=codat;
                     codat_credential signature $::other;
                     codat_credential signature $::secret; }
 location /old { codat_webhook zone=codat;
                     codat_credential signature $::other; }
 location /new { codat_webhook zone=codat;
                     codat_credential signature $::secret; }"
--- request eval: [map { "POST $_\n$::body" } '/webhook', '/old', '/new', '/old']
--- more_headers eval
[(map { signed_headers([$::other, $::secret], $::body) } 1 .. 3),
 signed_headers($::secret, $::body)]
--- error_code eval: [200, 200, 200, 401]
--- problem eval: ['', '', '', 'signature_mismatch']
--- response_body_like eval: [("^\Q$::accepted\E\$") x 3, 'signature_mismatch']


=== TEST 12: svix-* headers do as well
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::secret, $::body, svix => 1)
--- response_body eval: $::accepted


=== TEST 13: each header falls back to its svix-* sister by itself
--- request eval: [("POST /webhook\n$::body") x 8]
--- more_headers eval
my @all;
for my $mask (0 .. 7) {
    my @lines = CORE::split(/(?<=\n)/, signed_headers($::secret, $::body));
    for my $i (0 .. 2) {
        $lines[$i] =~ s/^webhook-/svix-/ if $mask & 1 << $i;
    }
    push @all, CORE::join('', CORE::reverse @lines);
}
\@all
--- error_code eval: [(200) x 8]
--- response_body eval: [("$::accepted") x 8]


=== TEST 14: webhook-* goes before svix-*, an empty one counts as not sent
--- request eval: [("POST /webhook\n$::body") x 4]
--- more_headers eval
my $bad = signed_headers($::other, $::body, svix => 1);
my $good = signed_headers($::secret, $::body, svix => 1);
[signed_headers($::secret, $::body) . $bad,
 $good . signed_headers($::other, $::body),
 "webhook-id:\nwebhook-timestamp:\nwebhook-signature:\n" . $good,
 "webhook-signature:\n" . signed_headers($::secret, $::body)]
--- error_code eval: [200, 401, 200, 200]
--- problem eval: ['', 'signature_mismatch', '', '']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch', ("^\Q$::accepted\E\$") x 2]


=== TEST 15: header names are matched without regard to case
--- request eval: "POST /webhook\n$::body"
--- more_headers eval
signed_headers($::secret, $::body) =~ s/^webhook-(\w)/"WebHook-" . CORE::uc $1/gmer
--- response_body eval: $::accepted


=== TEST 16: each of the three headers is required
--- request eval: [("POST /webhook\n$::body") x 7]
--- more_headers eval
my $all = signed_headers($::secret, $::body);
['Accept: */*', (map { $all =~ s/^webhook-$_:.*\n//mr } qw(id timestamp signature)),
 (map { $all =~ s/^(webhook-$_:).*/$1/mr } qw(id timestamp signature))]
--- error_code eval: [(401) x 7]
--- problem eval: [('signature_missing') x 7]
--- detail eval: [('^webhook-id, webhook-timestamp and webhook-signature \(or svix-\*\) are all required$') x 7]
--- response_headers eval: [("$::challenge") x 7]


=== TEST 17: a timestamp that is not plain digits is refused, though signed
--- request eval: [("POST /webhook\n$::body") x 10]
--- more_headers eval
my $now = time();
[map { signed_headers($::secret, $::body, ts => $_) }
 "-$now", "+$now", "$now.0", "0x" . sprintf('%x', $now), 'now', "$now,",
 "1e9", "$now $now", '9' x 19, '1' . '0' x 400]
--- error_code eval: [(401) x 10]
--- problem eval: [('timestamp_out_of_tolerance') x 10]
--- detail eval: [('^webhook-timestamp is not a plain number of seconds$') x 10]
--- response_headers eval: [("$::challenge") x 10]


=== TEST 18: extreme timestamps are outside the tolerance
--- request eval: [("POST /webhook\n$::body") x 5]
--- more_headers eval
[map { signed_headers($::secret, $::body, ts => $_) }
 0, 1, '9' x 18, time() + 3600, time() * 1000]
--- error_code eval: [(401) x 5]
--- problem eval: [('timestamp_out_of_tolerance') x 5]
--- detail eval: [('^webhook-timestamp is more than 300s away from this server\'s clock$') x 5]
--- response_headers eval: [("$::challenge") x 5]


=== TEST 19: well within the tolerance, either way
--- request eval: [("POST /webhook\n$::body") x 3]
--- more_headers eval
[map { signed_headers($::secret, $::body, offset => $_) } -150, 250, 0]
--- error_code eval: [(200) x 3]
--- response_body eval: [("$::accepted") x 3]


=== TEST 20: malformed, shortened and trimmed signatures do not match
--- request eval: [("POST /webhook\n$::body") x 14]
--- more_headers eval
my ($id, $stamp) = ('msg_1', time());
my $v1 = sign($::secret, $id, $stamp, $::body);
my ($mac) = $v1 =~ /^v1,(.*)=$/;
[map { signed_headers($::secret, $::body, id => $id, ts => $stamp, signature => $_) }
 'v1,', 'v1', 'v1,=', 'v1,!!!', $mac, "v2,$mac=", "V1,$mac=", "v1a,$mac=",
 'v1,' . substr($mac, 0, -1), 'v1,' . substr($mac, 0, 8), 'v1,' . substr($mac, 1) . 'A',
 "v1,$mac==", "v1,$mac=,$mac=", "v1,${mac}A="]
--- error_code eval: [(401) x 14]
--- problem eval: [('signature_mismatch') x 14]
--- response_headers eval: [("$::challenge") x 14]


=== TEST 21: the padding of a signature may be missing
--- request eval: "POST /webhook\n$::body"
--- more_headers eval
my ($id, $stamp) = ('msg_1', time());
signed_headers($::secret, $::body, id => $id, ts => $stamp,
               signature => sign($::secret, $id, $stamp, $::body) =~ s/=+$//r)
--- response_body eval: $::accepted


=== TEST 22: a v1 signature says nothing to a public key, v1a nothing to a secret
--- config eval
"location /v1a { codat_webhook zone=codat;
                 codat_credential signature $::public; }
 location /v1 { codat_webhook zone=codat;
                codat_credential signature $::secret; }"
--- request eval: [map { "POST $_\n$::body" } '/v1a', '/v1', '/v1a', '/v1']
--- more_headers eval
[signed_headers($::secret, $::body), signed_headers($::private, $::body),
 signed_headers($::private, $::body), signed_headers($::secret, $::body)]
--- error_code eval: [401, 401, 200, 200]
--- problem eval: [('signature_mismatch') x 2, '', '']
--- response_body_like eval: [('signature_mismatch') x 2, ("^\Q$::accepted\E\$") x 2]


=== TEST 23: every spelling of a secret that was promised
--- config eval
my ($key) = $::other =~ /^whsec_(.*)$/;
my $bare = $key =~ s/=+$//r;
my $public = $::public =~ s/=+$//r;
CORE::join("\n", map { my $n = $_->[0];
    "location /$n { codat_webhook zone=codat; codat_credential signature $_->[1]; }" }
    ['bare', $key], ['unpadded', $bare], ['whsec', "whsec_$bare"],
    ['v1', "v1,whsec_$key"], ['v1bare', "v1,$key"], ['v1a', "v1a,$::public"],
    ['public', $public])
--- request eval
[map { "POST /$_\n$::body" } qw(bare unpadded whsec v1 v1bare v1a public)]
--- more_headers eval
[(map { signed_headers($::other, $::body) } 1 .. 5),
 (map { signed_headers($::private, $::body) } 1 .. 2)]
--- error_code eval: [(200) x 7]
--- response_body eval: [("$::accepted") x 7]


=== TEST 24: the first of several equal headers counts
--- request eval: [("POST /webhook\n$::body") x 2]
--- more_headers eval
my $good = signed_headers($::secret, $::body);
my $bad = signed_headers($::other, $::body);
[$good . $bad, $bad . $good]
--- error_code eval: [200, 401]
--- problem eval: ['', 'signature_mismatch']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch']


=== TEST 25: spaces around a header and between signatures do no harm
--- request eval: "POST /webhook\n$::body"
--- more_headers eval
my ($id, $stamp) = ('msg_1', time());
"webhook-id:    $id  \nwebhook-timestamp:  $stamp \nwebhook-signature:   "
    . sign($::other, $id, $stamp, $::body) . '    '
    . sign($::secret, $id, $stamp, $::body) . "   \n"
--- response_body eval: $::accepted


=== TEST 26: the log shows the id, escaped and cut
--- request eval: "POST /webhook\n$::body"
--- more_headers eval
signed_headers($::other, $::body, id => 'a"b\\' . 'x' x 100)
--- error_code: 401
--- problem: signature_mismatch
--- response_headers eval: $::challenge
--- error_log eval: [', id: "a\"b\\\\' . 'x' x 60 . '", client: 127.0.0.1, ']


=== TEST 27: refusals are logged as loudly as codat_log_level says
--- config eval
"location /webhook { codat_webhook zone=codat; codat_log_level info;
                     codat_credential signature $::secret; }"
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::other, $::body)
--- error_code: 401
--- problem: signature_mismatch
--- refused_at: info
--- response_headers eval: $::challenge


=== TEST 28: a signature over an empty body is right, the body then is not JSON
--- request: POST /webhook
--- more_headers eval: signed_headers($::secret, '') . "Content-Length: 0"
--- error_code: 400
--- problem: malformed_json
--- detail: at byte 0 of the body$
--- response_headers
!WWW-Authenticate


=== TEST 29: more signatures than anybody sends are not all looked at
--- request eval: [("POST /webhook\n$::body") x 2]
--- more_headers eval
[signed_headers([($::other) x 15, $::secret], $::body),
 signed_headers([($::other) x 16, $::secret], $::body)]
--- error_code eval: [200, 401]
--- problem eval: ['', 'signature_mismatch']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch']
