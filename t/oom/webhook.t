# Failing allocations of webhooks: whatever fails, what was answered 2xx is in
# the tables, and anything else can be sent again.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use Oom;
use Test::More;

my ($private, $public) = keypair();

my $oom = Oom->new(
    http => 'client_body_buffer_size 16k;',
    server => "
        location = /hook { codat_webhook zone=codat; }
        location = /basic { codat_webhook zone=codat;
                            codat_credential basic user:password; }
        location = /bearer { codat_webhook zone=codat;
                             codat_credential bearer token; }
        location = /header { codat_webhook zone=codat;
                             codat_credential header X-Key \$arg_key; }
        location = /ed25519 { codat_webhook zone=codat;
                              codat_credential signature $public; }
        location = /variable { codat_webhook zone=codat;
                               codat_credential signature \$http_x_secret; }
        location = /file { codat_webhook zone=codat;
                           client_body_in_file_only clean; }
        location = /small { codat_webhook zone=codat;
                            client_body_buffer_size 200; }
        location = /clients { codat_webhook zone=codat; codat_client mine; }
    ");

my $legacy = sub {
    return body('PushOperationStatusChanged', generation => 'legacy',
                push_key => $_[0], status => 'Success');
};


$oom->webhook('signed');

# OpenSSL says "invalid" too when it has no memory for its hash.  Who signs
# repeats whatever is not answered 2xx
$oom->webhook('signed, Ed25519', uri => '/ed25519', failed => 401,
              headers => sub {
                  signed_headers($private, $_[1], id => $_[0]);
              });
$oom->webhook('signed, a secret from variables', uri => '/variable',
    headers => sub {
        signed_headers($Oom::secret, $_[1], id => $_[0])
            . "X-Secret: $Oom::secret\n";
    });
$oom->webhook('chunked', request => { chunked => 100 });
$oom->webhook('in a file', uri => '/file');
$oom->webhook('in a file, chunked', uri => '/file',
              request => { chunked => 100 });
$oom->webhook('in a small buffer', uri => '/small');
$oom->webhook('in a small buffer, chunked', uri => '/small',
              request => { chunked => 70 });
$oom->webhook('with "Expect: 100-continue"', request => { expect => 1 });
$oom->webhook('of an allowed client', uri => '/clients', headers => sub {
    signed_headers($Oom::secret, $_[1], id => $_[0])
        . "X-Codat-ClientId: mine\n";
});
$oom->webhook('svix headers', headers => sub {
    signed_headers($Oom::secret, $_[1], id => $_[0], svix => 1);
});
$oom->webhook('legacy, basic', uri => '/basic', body => $legacy,
              headers => sub {
                  'Authorization: ' . basic('user', 'password') . "\n";
              });
$oom->webhook('legacy, bearer', uri => '/bearer', body => $legacy,
              headers => sub { "Authorization: Bearer token\n" });
$oom->webhook('legacy, header', uri => '/header?key=k', body => $legacy,
              headers => sub { "X-Key: k\n" });


# --- a duplicate

{
    my $body = body('invoices.write.successful', push_key => uuid());
    my $headers = signed_headers($Oom::secret, $body, id => 'msg_twice');
    my @list = map { [split(/: /, $_, 2)] } split(/\n/, $headers);

    my ($status) = $oom->request('POST', '/hook', \@list, $body);
    is($status, 200, 'sent once');

    $oom->status('duplicate', 'POST', '/hook', headers => \@list,
                 body => $body);
}


# --- refusals: never 2xx

my $body = body('invoices.write.successful', push_key => uuid());
my $signed = sub {
    return [map { [split(/: /, $_, 2)] } split(/\n/,
        signed_headers($_[0], $body, id => 'msg_no'))];
};

$oom->status('signed with another secret', 'POST', '/hook', good => 401,
             body => $body, headers => $signed->(new_secret()));
$oom->status('signed with another key', 'POST', '/ed25519', good => 401,
             body => $body, headers => $signed->((keypair())[0]));
$oom->status('not signed', 'POST', '/hook', good => 401, body => $body);
$oom->status('an empty secret from variables', 'POST', '/variable',
             good => 401, body => $body,
             headers => $signed->($Oom::secret));
$oom->status('wrong password', 'POST', '/basic', good => 401,
             body => $body,
             headers => [['Authorization', basic('user', 'wrong')]]);
$oom->status('wrong token', 'POST', '/bearer', good => 401, body => $body,
             headers => [['Authorization', 'Bearer tokem']]);
$oom->status('wrong header', 'POST', '/header?key=k', good => 401,
             body => $body, headers => [['X-Key', 'l']]);
$oom->status('another client', 'POST', '/clients', good => 403,
             body => $body, headers => [@{$signed->($Oom::secret)},
                                        ['X-Codat-ClientId', 'other']]);
$oom->status('GET', 'GET', '/hook', good => 405);
$oom->status('not JSON by its type', 'POST', '/hook', good => 415,
             body => $body, headers => [@{$signed->($Oom::secret)},
                                        ['Content-Type', 'text/plain']]);

$oom->status('signed long ago', 'POST', '/hook', good => 401, body => $body,
             headers => [map { [split(/: /, $_, 2)] } split(/\n/,
                 signed_headers($Oom::secret, $body, offset => -1000))],
             or => qr/"detail":"webhook-timestamp is outside the tolerance"/);

$body = '{"eventType": "a", }';
$oom->status('malformed', 'POST', '/hook', good => 400, body => $body,
             headers => $signed->($Oom::secret));
$body = '[]';
$oom->status('not an event', 'POST', '/hook', good => 400, body => $body,
             headers => $signed->($Oom::secret));


$oom->end;
done_testing();
