package CodatTest::Docs;

# The pages and examples of docs/, and an nginx for one of them: what they say
# of the machine is replaced by what the test has, nothing else is.

use strict;
use warnings;

use CodatTest ();
use CodatTest::Nginx ();
use CodatTest::Slow;
use File::Path qw(make_path);

our @EXPORT = qw(slurp pages examples prepare client1 client2 secret secret2);

my $docs = CodatTest::top() . '/docs';

# what the examples and blocks expect below the folder of nginx.conf

my ($secret, $secret2) = (CodatTest::new_secret(), CodatTest::new_secret());

sub secret { $secret }
sub secret2 { $secret2 }
sub client1 { '4f1c8a60-0000-4000-8000-000000000001' }
sub client2 { '4f1c8a60-0000-4000-8000-000000000002' }

my %secrets = (
    'signature.secret' => "# of the endpoint\n$secret\n",
    'basic.secret' => "codat:pass:word\$1\n",
    'bearer.secret' => "token-of-some-length\n",
    'header.secret' => "Key abc\n",
    'clients.map' => client1() . " $secret;\n" . client2() . " $secret2;\n",
);


sub import {
    my $caller = caller;

    no strict 'refs';
    *{"${caller}::$_"} = \&$_ for @EXPORT;
}


sub slurp {
    my $path = shift;

    open(my $fh, '<:raw', $path) or die "$path: $!\n";
    local $/;

    return scalar <$fh>;
}


# pages(): file name => text

sub pages {
    return map { m{([^/]+)$} ? ($1 => slurp($_)) : () } glob("$docs/*.md");
}


# examples(): name => text, but for the one that is a whole nginx.conf

sub examples {
    return map { m{([^/]+)\.conf$} ? ($1 => slurp($_)) : () }
        grep { !m{/demo\.conf$} } glob("$docs/examples/*.conf");
}


# prepare($text, address => { 'name:port' => 'address' }, level => 'http',
#         http => '', secrets => {}, ca => path): an nginx that is not
# started, with the files that configurations refer to.  What listens for
# Codat is on port(2), what listens for the application on port(4).

sub prepare {
    my ($text, %opt) = @_;

    for ($text) {
        s{/etc/nginx/}{{{prefix}}/conf/}g;
        s{/var/lib/codat/}{{{prefix}}/conf/codat/}g;
        s{/var/log/nginx/}{{{prefix}}/logs/}g;
        s/(listen\s+)443(?= ssl)/${1}127.0.0.1:{{port2}}/g;
        s/(listen\s+)8080/${1}127.0.0.1:{{port2}}/g;
        s/(listen\s+)127\.0\.0\.1:8080/${1}127.0.0.1:{{port4}}/g;
        s/app\.internal\.example\.com/localhost/g;
        s/(_timeout\s+)(\d+)(m?s;)/$1 . slow($2) . $3/ge;
    }

    my %address = ((map { $_ => '127.0.0.1:{{port3}}' } qw(
                        hooks.slack.com api.codat.io api.postmarkapp.com
                        api.airtable.com events.pagerduty.com
                        prod-00.westeurope.logic.azure.com)),
                   %{$opt{address} // {}});
    my $any = join('|', map { quotemeta } sort keys %address);
    $text =~ s/\b($any)\b(?!:)/$address{$1}/g;

    my %conf = map { $_ => '' } qw(http server);
    $conf{$opt{level} // 'http'} = $text;
    $conf{http} = "$opt{http}\n$conf{http}" if $opt{http};

    my $nginx = CodatTest::Nginx->new(conf => \%conf);

    my $prefix = $nginx->prefix;
    make_path("$prefix/conf/codat", "$prefix/conf/tls");

    my %file = (%secrets, %{$opt{secrets} // {}});
    $nginx->file("conf/codat/$_", $file{$_}) for sort keys %file;

    CodatTest::make_cert("$prefix/conf/tls", 'hooks.example.com');
    CodatTest::make_cert("$prefix/conf/tls", 'codat-client');
    $nginx->file('conf/tls/internal-ca.crt',
                 slurp($opt{ca} // "$prefix/conf/tls/codat-client.crt"));

    return $nginx;
}


1;
