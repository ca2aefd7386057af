# What is kept of fuzzing the targets that need an nginx of their own, sent
# to a real one: each input is answered, by no 500, and nothing is wrong
# afterwards.  The unit tests try those of the other targets.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Nginx;
use Test::More;


my $nginx = CodatTest::Nginx->new(conf => {
    http => <<'EOC',
        codat_zone zone=codat:256k dedupe=off;
        codat_format text '{"text":"$codat_event_type $codat_company_name"}';
EOC
    server => <<'EOC' })->start;
        location = /hook {
            codat_webhook zone=codat;
            codat_credential none;
            codat_forward * /app;
            codat_forward * /app format=text;
            codat_forward * /app?c=$codat_company_id format=raw;
            add_header X-Company $codat_company_name always;
        }
        location = /app { internal; return 204; }
        location /codat/ { codat_status zone=codat; codat_wait 1s; }
EOC


sub inputs {
    my ($target) = @_;

    return map {
        open my $file, '<:raw', $_ or die "$_: $!";
        local $/;
        [$_, scalar <$file>];
    } sort glob "t/fuzz/regress/$target/*";
}

sub answered {
    my ($what, $request) = @_;

    my $client = $nginx->client(timeout => 10);
    $client->send($request);

    my $response = $client->read_response;

    like($response && $response->status, qr/^(?:2..|4..|501|503|505)$/,
         "$what is answered");
    $client->close;

    return $response;
}


for (inputs('status')) {
    my ($path, $input) = @$_;

    # in which pieces requests come

    $input =~ s/^[^A-Z]//;

    answered($path, $_) for grep { length } split /\0/, $input;
}


for (inputs('webhook')) {
    my ($path, $body) = @$_;

    # the same, and X-Codat-ClientId

    substr($body, 0, 1 + ((ord($body) >> 4) & 3)) = '' if $body =~ /^[^{]/;

    my $response = answered($path, "POST /hook HTTP/1.1\r\nHost: h\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body");

    unlike($response->head, qr/^Set-Cookie/mi, 'values stay in their header');
}


is($nginx->request('GET', '/codat/health')->status, 200, 'and it still lives');

unlike($nginx->error_log, qr/\[(?:alert|crit|emerg)\]/, 'nothing was wrong');

$nginx->stop;

done_testing();
